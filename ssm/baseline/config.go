package baseline

import (
	"errors"
	"fmt"
)

// ErrConfig is wrapped by the error of New for a Config that makes no model.
var ErrConfig = errors.New("invalid baseline model")

// A Kind says what mixes the events of a sequence.
type Kind int

// The kinds.
const (
	GRU Kind = iota
	Attention
	S4D
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case GRU:
		return "GRU"
	case Attention:
		return "attention"
	case S4D:
		return "S4D"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// A Config is the sizes of a model.
type Config struct {
	Kind   Kind
	Vocab  int // tokens
	DModel int // width of the residual stream
	NLayer int
	DState int // S4D: state numbers a channel, even, as conjugate pairs
	NHead  int // Attention: heads, of DModel/NHead channels each, an even number
}

// normEps is added to the mean square of every RMSNorm.
const normEps = 1e-5

// Validate reports what is wrong first; the error wraps ErrConfig.
func (c Config) Validate() error {
	const most = 1 << 14 // so that no product of sizes overflows
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	for _, size := range []struct {
		name string
		n    int
	}{{"vocab", c.Vocab}, {"d_model", c.DModel}, {"n_layer", c.NLayer}} {
		if size.n < 1 || size.n > most {
			return fail("%s is %d, want 1 to %d", size.name, size.n, most)
		}
	}
	switch c.Kind {
	case GRU:
	case Attention:
		if c.NHead < 1 || c.DModel%(2*c.NHead) != 0 {
			return fail("n_head is %d, want one that leaves each head an even share of d_model %d", c.NHead, c.DModel)
		}
	case S4D:
		if c.DState < 2 || c.DState > most || c.DState%2 != 0 {
			return fail("d_state is %d, want an even number from 2 to %d", c.DState, most)
		}
	default:
		return fail("there is no kind %d", int(c.Kind))
	}
	return nil
}
