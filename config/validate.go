package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate reports every fault of c, as a join of *Fault without origins, or nil. Load and
// Parse have done so already.
func (c Config) Validate() error {
	return joinFaults(c.faults())
}

// checks collects faults.
type checks struct{ faults []*Fault }

func (k *checks) add(path, problem string) {
	k.faults = append(k.faults, &Fault{Path: path, Problem: problem})
}

// require adds a fault unless ok.
func (k *checks) require(ok bool, path, problem string) {
	if !ok {
		k.add(path, problem)
	}
}

func (c Config) faults() []*Fault {
	k := &checks{}
	k.words(&c)
	k.require(c.Service.Name != "", "service.name", "is empty; give this operator a name")
	if c.Service.HTTP.Listen != "" {
		k.hostPort("service.http.listen", c.Service.HTTP.Listen)
	}
	k.kafka(c.Kafka)
	k.login(c.Kafka)
	k.topics(c)
	k.input(c.Input)
	k.state(c.State)
	k.delivery(c)
	k.model(c.Model)
	k.require(c.Scoring.Budget.Alarms > 0 && c.Scoring.Budget.Per > 0, "scoring.budget", "allows nothing; write alarms per time for one stream, such as 1/7d")
	return k.faults
}

// words checks every setting that is one of a few words.
func (k *checks) words(c *Config) {
	s := settingsOf(c)
	for _, path := range s.paths {
		words, value := s.oneof[path], s.text(path)
		if words == nil || slices.Contains(words, value) {
			continue
		}
		hint, _ := didYouMean(value, words)
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
		k.add(path, fmt.Sprintf("%q is not one of %s%s", value, strings.Join(words, ", "), hint))
	}
}

func (k *checks) hostPort(path, address string) {
	_, port, err := net.SplitHostPort(address)
	if n, errPort := strconv.Atoi(port); err != nil || errPort != nil || n < 0 || n > 65535 {
		k.add(path, fmt.Sprintf("%q is no address; write host:port, such as localhost:9092", address))
	}
}

func (k *checks) kafka(c Kafka) {
	k.require(len(c.Brokers) > 0, "kafka.brokers", "is not set; list at least one host:port, such as [localhost:9092]")
	for _, b := range c.Brokers {
		k.hostPort("kafka.brokers", b)
	}
	k.require(c.GroupID != "", "kafka.group_id", "is empty; one group is one set of stream states")
	k.between("kafka.session_timeout", c.SessionTimeout, time.Second, time.Hour)
	k.require(c.HeartbeatInterval > 0 && c.HeartbeatInterval <= c.SessionTimeout/3, "kafka.heartbeat_interval",
		fmt.Sprintf("is %s; use more than 0 and at most a third of kafka.session_timeout (%s)", formatDuration(c.HeartbeatInterval), formatDuration(c.SessionTimeout)))
}

func (k *checks) between(path string, d, low, high time.Duration) {
	k.require(d >= low && d <= high, path, fmt.Sprintf("is %s; use %s to %s", formatDuration(d), formatDuration(low), formatDuration(high)))
}

// login checks kafka.tls and kafka.sasl.
func (k *checks) login(c Kafka) {
	k.require((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "kafka.tls.cert_file", "cert_file and key_file belong together; set both or neither")
	if !c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertFile != "" || c.TLS.KeyFile != "" || c.TLS.ServerName != "") {
		k.add("kafka.tls.enabled", "is false while other kafka.tls settings are set; set it to true or remove them")
	}
	if c.SASL.Mechanism == "" {
		k.require(c.SASL.Username == "" && c.SASL.Password == "", "kafka.sasl.mechanism", "is not set while a username or password is; use plain, scram-sha-256 or scram-sha-512")
		return
	}
	k.require(c.SASL.Username != "", "kafka.sasl.username", "is not set; "+"kafka.sasl.mechanism needs it")
	k.require(c.SASL.Password != "", "kafka.sasl.password", "is not set; set it, or password_file")
}

var topicForm = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (k *checks) topics(c Config) {
	in, scores, dlq := c.Input.Topics, c.Output.Scores.Topic, c.Output.DLQ.Topic
	k.require(len(in) > 0, "input.topics", "is not set; list at least one topic to read")
	for i, topic := range in {
		k.topic("input.topics", topic)
		k.require(!slices.Contains(in[:i], topic), "input.topics", fmt.Sprintf("%q is listed twice", topic))
	}
	if len(in) == 0 && scores == "" && dlq == "" {
		return // they are named after the input: one fault is enough
	}
	k.topic("output.scores.topic", scores)
	k.topic("output.dlq.topic", dlq)
	k.require(!slices.Contains(in, scores), "output.scores.topic", fmt.Sprintf("%q is an input topic; the operator would read its own output", scores))
	k.require(!slices.Contains(in, dlq), "output.dlq.topic", fmt.Sprintf("%q is an input topic; the operator would read its own dead letters", dlq))
	if metrics := c.Output.Metrics.Topic; metrics != "" {
		k.topic("output.metrics.topic", metrics)
		k.require(metrics != scores && metrics != dlq && !slices.Contains(in, metrics), "output.metrics.topic", fmt.Sprintf("%q is another topic already; use one of its own", metrics))
	}
	k.require(scores != dlq, "output.dlq.topic", "is the same as output.scores.topic; use another")
}

func (k *checks) topic(path, topic string) {
	k.require(topicForm.MatchString(topic) && topic != "." && topic != "..", path,
		fmt.Sprintf("%q is no topic name; use up to 249 letters, digits, '.', '_' and '-'", topic))
}

func (k *checks) input(c Input) {
	k.require(c.MaxBytes >= 64 && c.MaxBytes <= 1<<30, "input.max_bytes", fmt.Sprintf("is %v; use 64B to 1GiB", c.MaxBytes))
	k.require(slices.Contains([]time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Second}, c.Influx.Precision),
		"input.influx.precision", fmt.Sprintf("is %s; use 1ns, 1us, 1ms or 1s", formatDuration(c.Influx.Precision)))
	k.require(c.Encoding != "avro" || c.Avro.Registry != "", "input.avro.registry", "is not set; encoding avro needs the URL of a schema registry")
	if u, err := url.Parse(c.Avro.Registry); c.Avro.Registry != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		k.add("input.avro.registry", "is no URL of a registry; write https://host:port, and a login as username and password")
	}
	seen := map[string]string{}
	for _, f := range []struct{ path, name string }{
		{"input.json.stream", c.JSON.Stream},
		{"input.json.time", c.JSON.Time},
		{"input.json.value", c.JSON.Value},
		{"input.json.values", c.JSON.Values},
	} {
		k.require(f.name != "", f.path, "is empty; name the field")
		k.require(seen[f.name] == "", f.path, fmt.Sprintf("%q is also %s; the fields need different names", f.name, seen[f.name]))
		seen[f.name] = f.path
	}
}

func (k *checks) state(c State) {
	switch c.Store {
	case "redis":
		k.redis(c.Redis)
	case "file":
		k.require(c.File.Path != "", "state.file.path", "is not set; store file needs the path of its database")
	}
	k.between("state.checkpoint.every", c.Checkpoint.Every, 10*time.Millisecond, time.Hour)
	k.require(c.MaxStreams >= 1, "state.max_streams", fmt.Sprintf("is %d; use at least 1", c.MaxStreams))
	k.require(c.IdleTTL >= time.Minute, "state.idle_ttl", fmt.Sprintf("is %s; use at least 1m, and more than the longest silence a stream may have", formatDuration(c.IdleTTL)))
}

// longestTransaction is half of what a transaction may take before Kafka aborts it.
const longestTransaction = 30 * time.Second

// delivery checks what the transactional mode asks of the others.
func (k *checks) delivery(c Config) {
	every := c.State.Checkpoint.Every
	k.require(c.Delivery != "transactional" || every <= longestTransaction, "state.checkpoint.every",
		fmt.Sprintf("is %s; delivery transactional holds a transaction open for so long: use at most %s", formatDuration(every), formatDuration(longestTransaction)))
}

func (k *checks) redis(c Redis) {
	k.require(!strings.ContainsAny(c.KeyPrefix, "{}"), "state.redis.key_prefix", "holds a brace; Redis Cluster would take what is in braces for the part of a key that says where it lies")
	u, err := url.Parse(string(c.URL)) // its error would show the password
	switch {
	case c.URL == "":
		k.add("state.redis.url", "is not set; use redis://host:6379/0, or set state.store to file")
	case err != nil:
		k.add("state.redis.url", "is no URL; use redis://user:password@host:6379/0, with special characters percent-encoded")
	case u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix":
		k.add("state.redis.url", "starts with none of redis://, rediss:// (TLS) and unix://")
	case u.Scheme == "unix" && u.Path == "":
		k.add("state.redis.url", "names no socket; use unix:///path/to/redis.sock")
	case u.Scheme != "unix" && u.Host == "":
		k.add("state.redis.url", "names no host; use redis://host:6379/0")
	}
	if err != nil {
		return
	}
	_, inURL := u.User.Password()
	k.require(!inURL || c.Password == "", "state.redis.password", "is set, and state.redis.url has a password too; keep one")
}

func (k *checks) model(c Model) {
	name, builtin := strings.CutPrefix(c.Use, "builtin:")
	k.require(c.Use != "" && (!builtin || name != ""), "model.use", "names no model; use builtin:telemetry-s, or a directory with config.json and model.safetensors")
}
