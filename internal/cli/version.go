package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// versionCmd is weir version.
type versionCmd struct {
	JSON bool `help:"Print one JSON object."`
}

// Help returns what the help text says below the flags.
func (*versionCmd) Help() string {
	return `Examples:
  weir version
  weir version --json | jq -r .revision`
}

// build is what a binary was built from.
type build struct {
	Version  string `json:"version"` // of the module; "(devel)" from a working tree
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision's commit, RFC 3339
	Modified bool   `json:"modified"`       // the working tree differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuild() (build, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{}, errors.New("this binary was built without module information")
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b, nil
}

// String returns b in one line.
func (b build) String() string {
	parts := []string{"weir", b.Version}
	if b.Revision != "" {
		parts = append(parts, b.Revision)
	}
	if b.Modified {
		parts = append(parts, "(modified)")
	}
	return strings.Join(append(parts, b.Go, b.Platform), " ")
}

// Run prints the build.
func (c *versionCmd) Run(std *streams) error {
	b, err := readBuild()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(b)
	}
	_, err = fmt.Fprintln(std.out, b)
	return err
}
