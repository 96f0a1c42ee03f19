package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
)

// maxFileBytes bounds the configuration file: a larger one is the wrong file.
const maxFileBytes = 1 << 20

// Overrides are the sources besides the file.
type Overrides struct {
	// Environ is the environment as NAME=value, in the form of os.Environ: the WEIR_
	// variables and those that the file refers to by ${env:NAME}.
	Environ []string
	// Set is a list of path=value; it has the last word.
	Set []string
}

// origin is where a setting's value came from.
type origin struct {
	name         string
	line, column int // of the file, from 1; 0 elsewhere
}

// loader collects one Config and all that is wrong with it.
type loader struct {
	cfg      Config
	settings settings
	file     string
	lines    []string
	env      map[string]string
	origins  map[string]origin // by path
	blamed   map[string]bool   // paths already known to be faulty
	faults   []*Fault
}

// Load reads the file at path; an empty path means there is none. The error is a join of
// *Fault, or says that the file cannot be read; it matches ErrInvalid in both cases.
func Load(path string, o Overrides) (Config, error) {
	if path == "" {
		return Parse("", nil, o)
	}
	data, err := readAtMost(path, maxFileBytes)
	if err != nil {
		if pathErr, ok := errors.AsType[*os.PathError](err); ok {
			err = pathErr.Err // the fault names the file already
		}
		return Config{}, &Fault{Origin: path, Problem: fmt.Sprintf("read the configuration: %v", err)}
	}
	return Parse(path, data, o)
}

// Parse reads YAML; name is the file's, for faults. Files that the settings name (secrets
// only) are read as well.
func Parse(name string, data []byte, o Overrides) (Config, error) {
	l := loader{
		cfg:     Default(),
		file:    name,
		lines:   strings.Split(string(data), "\n"),
		env:     map[string]string{},
		origins: map[string]origin{},
		blamed:  map[string]bool{},
	}
	for _, pair := range o.Environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			l.env[name] = value
		}
	}
	l.settings = settingsOf(&l.cfg)
	if len(data) > maxFileBytes {
		return Config{}, &Fault{Origin: name, Problem: fmt.Sprintf("the file is larger than %v", ByteSize(maxFileBytes))}
	}
	if !l.readYAML(data) {
		return Config{}, joinFaults(l.faults)
	}
	l.readEnv()
	l.readSet(o.Set)
	l.readSecrets()
	l.cfg.derive()
	known := maps.Clone(l.blamed)
	for _, f := range l.cfg.faults() {
		if !known[f.Path] {
			l.fault(f.Path, f.Problem)
		}
	}
	if len(l.faults) > 0 {
		return Config{}, joinFaults(l.faults)
	}
	return l.cfg, nil
}

// fault records a problem with the value of the setting at path.
func (l *loader) fault(path, problem string) {
	l.blamed[path] = true
	o, ok := l.origins[path]
	if !ok {
		o.name = l.file
	}
	l.faults = append(l.faults, l.faultAt(o, path, problem))
}

func (l *loader) faultAt(o origin, path, problem string) *Fault {
	f := &Fault{Path: path, Origin: o.name, Line: o.line, Problem: problem}
	if o.line > 0 {
		f.Snippet = snippet(l.lines, o.line, o.column)
	}
	return f
}

// assign sets the setting at path from a source.
func (l *loader) assign(path string, values []string, o origin) {
	l.origins[path] = o
	delete(l.blamed, path)
	if err := l.settings.set(path, values); err != nil {
		l.fault(path, err.Error())
	}
}

// derive fills what follows from other settings.
func (c *Config) derive() {
	if len(c.Input.Topics) == 0 {
		return
	}
	if c.Output.Scores.Topic == "" {
		c.Output.Scores.Topic = c.Input.Topics[0] + ".scores"
	}
	if c.Output.DLQ.Topic == "" {
		c.Output.DLQ.Topic = c.Input.Topics[0] + ".dlq"
	}
}

// readAtMost returns the content of a file of at most limit bytes.
func readAtMost(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("file %q is larger than %v", name, ByteSize(limit))
	}
	return data, err
}
