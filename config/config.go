// Package config holds everything a user can set, and reads it.
//
// A [Config] starts as [Default]. A YAML file, the environment and --set change it, each
// overriding the one before, and all three name a setting by the same dotted path:
//
//	state: {redis: {url: "redis://cache:6379"}}      in the file
//	WEIR_STATE_REDIS_URL=redis://cache:6379          in the environment
//	--set state.redis.url=redis://cache:6379         on the command line
//
// The paths come from the yaml tags of the structs below, by reflection, so a field added
// here is at once known to all three. A list is a YAML list in the file and separated by
// commas elsewhere. Inside a value of the file, ${env:NAME} and ${env:NAME:-default} stand
// for environment variables; they are replaced after the YAML was parsed, so no variable
// can change the file's structure.
//
// [Load] and [Parse] report every fault at once, as a join of *[Fault]: a fault knows its
// setting, where the value came from, and what to do about it. All match [ErrInvalid].
// A [Secret] or [SecretURL] prints masked, whatever prints it.
package config

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is the whole configuration of one operator.
type Config struct {
	Service Service `yaml:"service"`
	Kafka   Kafka   `yaml:"kafka"`
	Input   Input   `yaml:"input"`
	Output  Output  `yaml:"output"`
	// Delivery is what is promised of outputs.
	Delivery string  `yaml:"delivery" oneof:"exactly_once,transactional,at_least_once"`
	State    State   `yaml:"state"`
	Model    Model   `yaml:"model"`
	Scoring  Scoring `yaml:"scoring"`
}

// Service is the process itself.
type Service struct {
	// Name tells this operator from others in logs and metrics.
	Name string `yaml:"name"`
	HTTP HTTP   `yaml:"http"`
	Log  Log    `yaml:"log"`
}

// HTTP is the live page, its API, health and metrics.
type HTTP struct {
	// Listen is host:port; empty means no HTTP server.
	Listen string `yaml:"listen"`
	// Hosts are names under which the page may be asked for, beside addresses.
	Hosts []string `yaml:"hosts"`
	// RemoteChanges lets clients on other machines reset streams and judge incidents.
	RemoteChanges bool `yaml:"remote_changes"`
}

// Log goes to stderr.
type Log struct {
	Level  string `yaml:"level" oneof:"debug,info,warn,error"`
	Format string `yaml:"format" oneof:"text,json"`
}

// Kafka is the connection to the brokers, and membership of the consumer group.
type Kafka struct {
	// Brokers are the host:port pairs to start from.
	Brokers []string `yaml:"brokers"`
	// GroupID names the consumer group. One group is one set of stream states.
	GroupID string `yaml:"group_id"`
	TLS     TLS    `yaml:"tls"`
	SASL    SASL   `yaml:"sasl"`
	// SessionTimeout is how long the broker waits for a silent member before its
	// partitions move to another.
	SessionTimeout    time.Duration `yaml:"session_timeout"`
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
}

// TLS encrypts the connection to the brokers. The certificate is always verified.
type TLS struct {
	Enabled bool `yaml:"enabled"`
	// CAFile holds the certificates to trust, in PEM; empty means the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are the client's own, for mutual TLS: both or neither.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name to verify; empty means the broker's host name.
	ServerName string `yaml:"server_name"`
}

// SASL is the login at the brokers.
type SASL struct {
	// Mechanism is empty for no login.
	Mechanism string `yaml:"mechanism" oneof:",plain,scram-sha-256,scram-sha-512"`
	Username  string `yaml:"username"`
	Password  Secret `yaml:"password"`
	// PasswordFile is read into Password by Load and Parse.
	PasswordFile string `yaml:"password_file"`
}

// Input is what the operator reads.
type Input struct {
	Topics []string `yaml:"topics"`
	// Encoding is what records are: JSON events, or records of other systems that may hold
	// many points each.
	Encoding string `yaml:"encoding" oneof:"json,otlp_proto,otlp_json,prometheus,influx,avro,auto"`
	// InitialOffset is where a group without committed offsets starts.
	InitialOffset string `yaml:"initial_offset" oneof:"earliest,latest"`
	// MaxBytes is the largest record value that is decoded; a larger one is a dead letter.
	MaxBytes ByteSize    `yaml:"max_bytes"`
	JSON     InputJSON   `yaml:"json"`
	OTLP     InputOTLP   `yaml:"otlp"`
	Influx   InputInflux `yaml:"influx"`
	Avro     InputAvro   `yaml:"avro"`
}

// InputOTLP says what names a stream of OpenTelemetry metrics, beside the metric's name.
type InputOTLP struct {
	// ResourceAttributes and PointAttributes are keys of attributes; "*" stands for all.
	ResourceAttributes []string `yaml:"resource_attributes"`
	PointAttributes    []string `yaml:"point_attributes"`
	// Scope makes the instrumentation scope's name a part.
	Scope bool `yaml:"scope"`
}

// InputInflux is about line protocol.
type InputInflux struct {
	// Precision is the unit of timestamps.
	Precision time.Duration `yaml:"precision"`
}

// InputJSON holds the names of the fields to read from a JSON event.
type InputJSON struct {
	Stream string `yaml:"stream"`
	Time   string `yaml:"time"`
	Value  string `yaml:"value"`
	Values string `yaml:"values"`
}

// InputAvro is about Avro, whose events have the fields that InputJSON names.
type InputAvro struct {
	// Registry is the URL of the schema registry.
	Registry string `yaml:"registry"`
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	// PasswordFile is read into Password by Load and Parse.
	PasswordFile string `yaml:"password_file"`
}

// Output is what the operator writes.
type Output struct {
	Scores Topic `yaml:"scores"`
	DLQ    Topic `yaml:"dlq"`
	// Metrics takes the scores as OpenTelemetry gauges; no topic for none.
	Metrics Metrics `yaml:"metrics"`
}

// Topic names a Kafka topic.
type Topic struct {
	// Topic is, where left empty, the first input topic with ".scores" or ".dlq" added
	// by Load and Parse.
	Topic string `yaml:"topic"`
}

// Metrics names the topic of the scores as metrics.
type Metrics struct {
	Topic string `yaml:"topic"`
}

// State is where streams remember.
type State struct {
	Store      string     `yaml:"store" oneof:"redis,file,memory"`
	Redis      Redis      `yaml:"redis"`
	File       File       `yaml:"file"`
	Checkpoint Checkpoint `yaml:"checkpoint"`
	// OnLoss says what happens to streams whose state the store has lost, or has of another
	// model.
	OnLoss string `yaml:"on_loss" oneof:"rebuild,fail,cold"`
	// MaxStreams is how many states one process keeps in memory, a field of a stream being
	// one; the others are in the store.
	MaxStreams int `yaml:"max_streams"`
	// IdleTTL is how long a stream may be without events, by the log's clock, before it
	// begins anew and Redis forgets it.
	IdleTTL time.Duration `yaml:"idle_ttl"`
}

// Redis is the store of kind redis.
type Redis struct {
	// URL is redis://, rediss:// or unix://, in any form go-redis parses.
	URL SecretURL `yaml:"url"`
	// URLFile is read into URL by Load and Parse.
	URLFile  string `yaml:"url_file"`
	Password Secret `yaml:"password"`
	// PasswordFile is read into Password by Load and Parse.
	PasswordFile string `yaml:"password_file"`
	KeyPrefix    string `yaml:"key_prefix"`
}

// File is the store of kind file: one embedded database on disk.
type File struct {
	Path string `yaml:"path"`
}

// Checkpoint says when states are saved.
type Checkpoint struct {
	// Every is the longest time between two checkpoints while events arrive.
	Every time.Duration `yaml:"every"`
}

// Model is the network.
type Model struct {
	// Use is "builtin:NAME", or a directory with config.json and model.safetensors.
	Use string `yaml:"use"`
}

// Scoring turns predictions into decisions.
type Scoring struct {
	// Budget is how many false alarms one stream may raise in a time.
	Budget Budget `yaml:"budget"`
	// Direction is the side of the forecast on which a value may be anomalous.
	Direction string `yaml:"direction" oneof:"both,above,below"`
}

// Default returns the configuration that holds where nothing is set. It lacks only what
// nobody can guess: kafka.brokers and input.topics.
func Default() Config {
	return Config{
		Service: Service{
			Name: "weir",
			HTTP: HTTP{Listen: "127.0.0.1:8490", Hosts: []string{"localhost"}},
			Log:  Log{Level: "info", Format: "text"},
		},
		Kafka: Kafka{
			GroupID:           "weir",
			SessionTimeout:    10 * time.Second,
			HeartbeatInterval: time.Second,
		},
		Input: Input{
			Encoding:      "json",
			InitialOffset: "earliest",
			MaxBytes:      1 << 20,
			JSON:          InputJSON{Stream: "stream", Time: "ts", Value: "value", Values: "values"},
			OTLP:          InputOTLP{ResourceAttributes: []string{"*"}, PointAttributes: []string{"*"}},
			Influx:        InputInflux{Precision: time.Nanosecond},
		},
		Delivery: "exactly_once",
		State: State{
			Store:      "redis",
			Redis:      Redis{URL: "redis://127.0.0.1:6379/0", KeyPrefix: "weir:"},
			Checkpoint: Checkpoint{Every: time.Second},
			OnLoss:     "rebuild",
			MaxStreams: 100_000,
			IdleTTL:    7 * day,
		},
		Model:   Model{Use: "builtin:telemetry-s"},
		Scoring: Scoring{Budget: Budget{Alarms: 1, Per: 7 * day}, Direction: "both"},
	}
}

// String returns c as YAML with its secrets masked.
func (c Config) String() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Sprintf("config: %v", err)
	}
	return string(text)
}

// LogValue is String, so that no log handler walks the struct its own way.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
