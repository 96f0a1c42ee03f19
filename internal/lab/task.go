package lab

import (
	"fmt"
	"math/rand/v2"

	"github.com/weirstream/weir/ssm/train"
)

// A task draws sequences of which some rows ask for a token.
type task struct {
	name, what string
	vocab      int
	length     int // of a training sequence
	lengths    []int
	draw       func(rng *rand.Rand, length int) train.Window
}

// The vocabulary of both tasks: values, then two tokens of special meaning.
const (
	values = 8
	noise  = int32(values)     // selective copying: to be passed over
	ask    = int32(values + 1) // selective copying: say the next; induction: the marker
	vocab  = values + 2
)

// selectiveCopying returns the task to repeat count values that stand at random
// places of length tokens; count more rows then ask for them.
func selectiveCopying(count, length int, lengths []int) task {
	return task{
		name: "selective copying", what: fmt.Sprintf("%d values stand at random places among noise, and are then to be said in their order", count),
		vocab: vocab, length: length, lengths: lengths,
		draw: func(rng *rand.Rand, length int) train.Window {
			w := blank(length+count, noise)
			places := rng.Perm(length)[:count]
			for _, at := range places {
				w.Tokens[at] = int32(rng.IntN(values))
			}
			asked := length
			for _, id := range w.Tokens[:length] {
				if id != noise {
					w.Tokens[asked], w.Labels[asked] = ask, id
					asked++
				}
			}
			return w
		},
	}
}

// inductionHeads returns the task to say, at a marker at the end of length tokens, what
// followed the marker where it stood before, at a random place.
func inductionHeads(length int, lengths []int) task {
	return task{
		name: "induction heads", what: "a marker stands at a random place among values and again at the end; what followed it is to be said",
		vocab: vocab, length: length, lengths: lengths,
		draw: func(rng *rand.Rand, length int) train.Window {
			w := blank(length, noise)
			for t := range w.Tokens {
				w.Tokens[t] = int32(rng.IntN(values))
			}
			at := rng.IntN(length - 2)
			w.Tokens[at], w.Tokens[length-1] = ask, ask
			w.Labels[length-1] = w.Tokens[at+1]
			return w
		},
	}
}

// blank is a window of one token without labels.
func blank(n int, token int32) train.Window {
	w := train.Window{Tokens: make([]int32, n), Labels: make([]int32, n)}
	for t := range w.Tokens {
		w.Tokens[t], w.Labels[t] = token, -1
	}
	return w
}

// batch draws the n windows of a step; they depend on nothing but the arguments.
func (k *task) batch(seed uint64, step, length, n int) []train.Window {
	rng := rand.New(rand.NewPCG(seed, uint64(step)))
	windows := make([]train.Window, n)
	for i := range windows {
		windows[i] = k.draw(rng, length)
	}
	return windows
}
