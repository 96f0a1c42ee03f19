package operator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"github.com/weirstream/weir/ssm"
)

// featuresVersion counts the changes of what this package feeds to a model and reads
// from it. A model names the version it was trained with.
const featuresVersion = 2

// A Lineage identifies everything that shapes a state: the model's numbers, the features
// it sees and the record's format. States of different lineages do not mix.
type Lineage [16]byte

// A Model is an event model with what its scores need. It is immutable and safe for
// concurrent use.
type Model struct {
	ssm     *ssm.Model
	name    string
	lineage Lineage
}

// extra is the "weir" object of an event model's config.json, as far as it concerns
// this package.
type extra struct {
	Features  int         `json:"features"`
	Horizons  []int       `json:"horizons"`
	Quantiles [][]float64 `json:"quantiles"`
}

// LoadModel loads an event model from a folder, to be called by the given name. Errors
// wrap ssm.ErrModel.
func LoadModel(fsys fs.FS, name string) (*Model, error) {
	m, err := ssm.Load(fsys)
	if err != nil {
		return nil, fmt.Errorf("load model %q: %w", name, err)
	}
	if m.Extra() == nil {
		return nil, fmt.Errorf("load model %q: %w: config.json has no \"weir\" object: it is a language model, "+
			"which Weir verifies but does not score events with", name, ssm.ErrModel)
	}
	var x extra
	if err := json.Unmarshal(m.Extra(), &x); err != nil {
		return nil, fmt.Errorf("load model %q: %w: \"weir\" in config.json: %w", name, ssm.ErrModel, err)
	}
	if x.Features != featuresVersion || m.Dims().NInput != nFeatures {
		return nil, fmt.Errorf("load model %q: %w: it was made for features %d with %d inputs, this program has %d with %d",
			name, ssm.ErrModel, x.Features, m.Dims().NInput, featuresVersion, nFeatures)
	}
	if err := x.checkOutputs(m.Dims().NOutput); err != nil {
		return nil, fmt.Errorf("load model %q: %w: %w", name, ssm.ErrModel, err)
	}
	return &Model{ssm: m, name: name, lineage: lineageOf(m)}, nil
}

// checkOutputs holds what the model says of its n outputs against what they are read as.
func (x *extra) checkOutputs(n int) error {
	want := [][]float64{levels[:]}
	for range nHorizons - 1 {
		want = append(want, furtherLevels[:])
	}
	if !slices.Equal(x.Horizons, horizons[:]) || !slices.EqualFunc(x.Quantiles, want, slices.Equal) || n != nOutputs {
		return fmt.Errorf("its %d outputs are the quantiles %v at horizons %v, want %d: %v at %v, and a point",
			n, x.Quantiles, x.Horizons, nOutputs, want, horizons)
	}
	return nil
}

func lineageOf(m *ssm.Model) Lineage {
	h := sha256.New()
	fp := m.Fingerprint()
	h.Write(fp[:])
	_, _ = fmt.Fprintf(h, "features %d record %d", featuresVersion, recordVersion)
	return Lineage(h.Sum(nil)[:16])
}

// Tag names the model and its lineage as outputs do: "telemetry-s@ab12cd34".
func (m *Model) Tag() string { return m.name + "@" + hex.EncodeToString(m.lineage[:4]) }

// StateBytes is the size of the stored record of a stream with one unnamed field.
func (m *Model) StateBytes() int {
	s := &stream{fields: []field{newField(nil, m)}}
	return len(s.appendBinary(nil, m.lineage))
}
