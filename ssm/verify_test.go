package ssm

import (
	"os"
	"testing"
)

var fixtures = []string{"mamba-small", "mamba-odd", "mamba-64"}

func TestStepsAgreeWithReference(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			errs, err := Verify(os.DirFS("testdata/mamba/" + name))
			if err != nil {
				t.Fatal(err)
			}
			if len(errs) < 4 {
				t.Fatalf("compared only %v", errs)
			}
			for _, e := range errs {
				t.Logf("%-14s %.2g", e.Tensor, e.MaxAbs)
			}
			if worst := errs.Max(); !(worst <= 1e-5) {
				t.Errorf("greatest difference %g, want at most 1e-5", worst)
			}
		})
	}
}
