package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever the file holds, Parse returns a valid Config or faults; and what a Config
// without secrets prints is read back as the same Config.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "example.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data, Overrides{Environ: []string{"A=1", "B=x: y"}})
		if err != nil {
			if !errors.Is(err, ErrInvalid) || err.Error() == "" {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("parsed, but invalid: %v", err)
		}
		c.Kafka.SASL, c.State.Redis = SASL{}, Default().State.Redis
		again, err := Parse("again.yaml", []byte(c.String()), Overrides{})
		if err != nil {
			t.Fatalf("cannot read back: %v\n%s", err, c)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("read back differently (-want +got):\n%s", diff)
		}
	})
}
