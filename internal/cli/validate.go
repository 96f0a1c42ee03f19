package cli

import (
	"fmt"
	"strings"
)

// validateCmd is weir validate.
type validateCmd struct {
	configFlags
	Print bool `help:"Print the whole resulting configuration, secrets masked."`
}

// Help returns what the help text says below the flags.
func (*validateCmd) Help() string {
	return `Reads the configuration, the files of secrets it names and the model, and connects to
nothing. All faults of the configuration are reported at once, each with its line; the exit
code is 3 where there is one, or where the model is no valid one.

Examples:
  weir validate --config weir.yaml
  weir validate --config weir.yaml --set state.store=memory --print
  WEIR_KAFKA_BROKERS=kafka:9092 WEIR_INPUT_TOPICS=events weir validate`
}

// Run checks the configuration, and loads the model.
func (c *validateCmd) Run(std *streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	model, err := openModel(cfg.Model.Use)
	if err != nil {
		return err
	}
	if err := openable(cfg); err != nil {
		return err
	}
	if c.Print {
		_, err = fmt.Fprintln(std.out, cfg)
		return err
	}
	store := cfg.State.Store
	switch store {
	case "redis":
		store += " " + cfg.State.Redis.URL.String()
	case "file":
		store += " " + cfg.State.File.Path
	}
	_, err = fmt.Fprintf(std.out, "ok: kafka %s as group %s; topics %s, scores to %s, dead letters to %s; state in %s; model %s; budget %v\n",
		strings.Join(cfg.Kafka.Brokers, ","), cfg.Kafka.GroupID, strings.Join(cfg.Input.Topics, ","),
		cfg.Output.Scores.Topic, cfg.Output.DLQ.Topic, store, model.Tag(), cfg.Scoring.Budget)
	return err
}
