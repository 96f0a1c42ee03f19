package cli

import (
	"io"
	"log/slog"

	"github.com/weirstream/weir/config"
)

// newLogger returns the logger that a configuration asks for. Lines have no color.
func newLogger(w io.Writer, log config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(log.Level)); err != nil {
		level = slog.LevelInfo // not reached by a configuration that passed Validate
	}
	options := &slog.HandlerOptions{Level: level}
	if log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
