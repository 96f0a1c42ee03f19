package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/statestore"
)

// openModel loads the model that a configuration names. Errors wrap ssm.ErrModel.
func openModel(use string) (*operator.Model, error) {
	if name, ok := strings.CutPrefix(use, "builtin:"); ok {
		fsys, err := builtin.Open(name)
		if err != nil {
			return nil, fmt.Errorf("load model %q: %w: %w", use, ssm.ErrModel, err)
		}
		return operator.LoadModel(fsys, name)
	}
	if info, err := os.Stat(use); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("load model %q: %w: there is no such directory; model.use is builtin:telemetry-s "+
			"or a directory with config.json and model.safetensors", use, ssm.ErrModel)
	}
	return operator.LoadModel(os.DirFS(use), filepath.Base(use))
}

// A store is a state store with what its kind can say of itself.
type store struct {
	statestore.Store
	// ready returns nil when the store works and is fit to keep states.
	ready func(ctx context.Context) error
}

// openStore opens the store that a configuration names. Redis is not dialled yet.
func openStore(c config.State) (*store, error) {
	switch c.Store {
	case "memory":
		return &store{statestore.NewMemory(), alwaysReady}, nil
	case "file":
		f, err := statestore.OpenFile(c.File.Path)
		if err != nil {
			return nil, err
		}
		return &store{f, alwaysReady}, nil
	}
	r, err := statestore.OpenRedis(redisURL(c.Redis), c.Redis.KeyPrefix, c.IdleTTL)
	if err != nil {
		return nil, fmt.Errorf("state.redis: %w: %w", config.ErrInvalid, err)
	}
	return &store{r, func(ctx context.Context) error {
		if err := r.Ping(ctx); err != nil {
			return err
		}
		_, err := r.CheckPolicy(ctx)
		return err
	}}, nil
}

// openable returns what is wrong with a configuration's connections, as far as it shows
// without dialling: an error that wraps config.ErrInvalid.
func openable(cfg config.Config) error {
	kafka, err := openKafka(cfg)
	if err != nil {
		return err
	}
	kafka.Close()
	if cfg.State.Store != "redis" {
		return nil
	}
	store, err := openStore(cfg.State)
	if err != nil {
		return err
	}
	return store.Close()
}

// redisURL is the store's address with the password that is configured beside it.
func redisURL(c config.Redis) string {
	u, err := url.Parse(string(c.URL))
	if c.Password == "" || err != nil {
		return string(c.URL) // a URL that cannot be parsed is for OpenRedis to explain
	}
	if q := u.Query(); q.Has("master_name") {
		q.Set("password", string(c.Password)) // the user part is the login at the Sentinels
		u.RawQuery = q.Encode()
		return u.String()
	}
	u.User = url.UserPassword(u.User.Username(), string(c.Password))
	return u.String()
}

func alwaysReady(context.Context) error { return nil }

// openKafka prepares the connection to the brokers.
func openKafka(c config.Config) (*pipeline.Connection, error) {
	var tlsConfig *tls.Config
	if c.Kafka.TLS.Enabled {
		var err error
		if tlsConfig, err = kafkaTLS(c.Kafka.TLS); err != nil {
			return nil, fmt.Errorf("kafka.tls: %w: %w", config.ErrInvalid, err)
		}
	}
	mechanism, err := kafkaSASL(c.Kafka.SASL)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w: %w", config.ErrInvalid, err)
	}
	return pipeline.NewConnection(c.Kafka.Brokers, c.Service.Name, tlsConfig, mechanism), nil
}

func kafkaTLS(c config.TLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read cert_file and key_file: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func kafkaSASL(c config.SASL) (sasl.Mechanism, error) {
	switch c.Mechanism {
	case "":
		return nil, nil
	case "plain":
		return plain.Mechanism{Username: c.Username, Password: string(c.Password)}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, c.Username, string(c.Password))
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, c.Username, string(c.Password))
	}
	return nil, fmt.Errorf("mechanism %q is unknown", c.Mechanism)
}

// operatorConfig is the part of a configuration that scoring goes by.
func operatorConfig(c config.Config) operator.Config {
	directions := map[string]operator.Direction{"both": operator.Both, "above": operator.Above, "below": operator.Below}
	onLoss := map[string]operator.OnLoss{"rebuild": operator.Rebuild, "fail": operator.Fail, "cold": operator.Cold}
	return operator.Config{
		FalseAlarms: c.Scoring.Budget.PerSecond(),
		Direction:   directions[c.Scoring.Direction],
		MaxStreams:  c.State.MaxStreams,
		OnLoss:      onLoss[c.State.OnLoss],
		IdleTTL:     c.State.IdleTTL,
	}
}

// newDecoder returns a decoder for the input's encoding.
func newDecoder(c config.Input) (*encoding.Decoder, error) {
	return encoding.NewDecoder(encoding.Options{
		Encoding: c.Encoding,
		JSON:     encoding.JSONNames{Stream: c.JSON.Stream, Time: c.JSON.Time, Value: c.JSON.Value, Values: c.JSON.Values},
		OTLP: encoding.OTLPOptions{
			Resource: names(c.OTLP.ResourceAttributes), Point: names(c.OTLP.PointAttributes), Scope: c.OTLP.Scope,
		},
		InfluxPrecision: c.Influx.Precision,
	})
}

// newRegistry returns a client of the schema registry, nil where none is configured.
func newRegistry(c config.InputAvro) (*pipeline.Registry, error) {
	if c.Registry == "" {
		return nil, nil
	}
	return pipeline.NewRegistry(c.Registry, c.Username, string(c.Password))
}

// names is a list of names as OTLPOptions have it: nil for all, which a list writes as *.
func names(list []string) []string {
	if slices.Contains(list, "*") {
		return nil
	}
	return append([]string{}, list...)
}
