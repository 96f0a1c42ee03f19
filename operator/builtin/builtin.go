// Package builtin holds the event models that are built into the program.
package builtin

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
)

//go:embed telemetry-s
var files embed.FS

// Names are the models that Open knows.
var Names = []string{"telemetry-s"}

// Open returns the folder of the named model.
func Open(name string) (fs.FS, error) {
	if slices.Contains(Names, name) {
		return fs.Sub(files, name)
	}
	return nil, fmt.Errorf("there is no built-in model %q, only %q", name, Names)
}
