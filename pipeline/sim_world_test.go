package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// A simHistory is an input log and what one worker, to whom nothing happens, makes of it.
type simHistory struct {
	log             []Message
	scores, letters []string
	records         []string // of the store
}

// A simulation is what its schedules share.
type simulation struct {
	t       *testing.T
	model   *operator.Model
	metrics *Metrics
}

func newSimulation(t *testing.T) *simulation {
	metrics, err := NewMetrics(nil, MetricLabels{})
	if err != nil {
		t.Fatal(err)
	}
	return &simulation{t: t, model: tinyModel(t), metrics: metrics}
}

// history plays a log that the seed draws.
func (s *simulation) history(seed uint64) *simHistory {
	rng := rand.New(rand.NewPCG(seed, 7))
	h := &simHistory{log: randomLog(rng, 3+rng.IntN(9))}
	store, scores, letters := statestore.NewMemory(), &simSink{}, &simSink{}
	w := s.worker(newOperator(s.model, store), &sliceSource{log: h.log}, scores, letters)
	if err := w.Run(s.t.Context()); err != nil {
		s.t.Fatalf("history %d: %v", seed, err)
	}
	h.scores, h.letters, h.records = texted(scores.log), texted(letters.log), storeRecords(s.t, store)
	return h
}

// worker is newWorker for many short lives.
func (s *simulation) worker(o *operator.Operator, source Source, scores, letters Sink) *Worker {
	w := workerWith(s.t, s.metrics, o, source, scores, letters)
	w.batch.chunk = make([]byte, 0, 8<<10) // a whole log's
	return w
}

// A simSink takes what a topic takes.
type simSink struct{ sliceSink }

func (s *simSink) Write(ctx context.Context, msgs []Message) error {
	for i := range msgs {
		if len(msgs[i].Value) > simLargest {
			return ErrRefused
		}
	}
	return s.sliceSink.Write(ctx, msgs)
}

// randomLog has offsets left out, bad records, late events, streams of both kinds, and
// events whose score no topic takes.
func randomLog(rng *rand.Rand, n int) []Message {
	var log []Message
	offset, at := int64(rng.IntN(3)), int64(1_780_000_000_000)
	for range n {
		offset += 1 + int64(rng.IntN(3)/2)
		at += int64(rng.IntN(60_000))
		m := Message{Offset: offset, Time: at - 90_000*int64(rng.IntN(8)/7), Key: fmt.Appendf(nil, "s%d", rng.IntN(3))}
		switch rng.IntN(9) {
		case 0:
			m.Value = []byte(`{"value":`)
		case 1:
			m.Value = fmt.Appendf(nil, `{"stream":"wide","values":{"a":%d,"b":%g}}`, rng.IntN(9), rng.NormFloat64())
		case 2:
			m.Value = fmt.Appendf(nil, `{"stream":"long","values":{"%0200d":%d}}`, 0, rng.IntN(9))
		default:
			m.Value = fmt.Appendf(nil, `{"value":%g}`, rng.NormFloat64())
		}
		log = append(log, m)
	}
	return log
}

// texted is what an output topic's records say.
func texted(msgs []Message) []string {
	all := make([]string, len(msgs))
	for i := range msgs {
		m := &msgs[i]
		all[i] = headerOf(m, headerSource) + " " + string(m.Key) + " " + string(m.Value)
	}
	return all
}

// storeRecords are the store's bytes of every stream there may be.
func storeRecords(t *testing.T, store statestore.Store) (all []string) {
	snaps, err := store.Load(t.Context(), testPartition, []string{"s0", "s1", "s2", "wide", "long"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snaps {
		all = append(all, fmt.Sprintf("%s as of %d: %x", s.Key, s.Offset, s.State))
	}
	return all
}

// A world is what outlives a crash: the input log, Kafka, the store, and what is still on
// its way to them.
type world struct {
	*simulation
	seed    uint64
	rng     *rand.Rand
	history *simHistory
	mode    DeliveryMode
	kafka   *simKafka
	memory  *statestore.Memory
	dumps   []dump
	writes  int // acknowledged by the store
	broken  *mutation

	delayed []func() // requests that nobody waits for any more
	lives   []*life
	zombies []*life
	told    tally
}

// tally counts what happened in schedules.
type tally struct{ schedules, lives, zombies, fenced, restored, late int }

func (t *tally) add(u tally) {
	t.schedules += u.schedules
	t.lives += u.lives
	t.zombies += u.zombies
	t.fenced += u.fenced
	t.restored += u.restored
	t.late += u.late
}

func (s *simulation) world(seed uint64, h *simHistory, broken *mutation) *world {
	rng := rand.New(rand.NewPCG(seed, 42))
	mode := []DeliveryMode{ExactlyOnce, ExactlyOnce, ExactlyOnce, Transactional}[rng.IntN(4)]
	if broken != nil {
		mode = broken.mode
	}
	return &world{
		simulation: s, seed: seed, rng: rng, history: h, mode: mode, kafka: newSimKafka(rng, broken),
		memory: statestore.NewMemory(), broken: broken, told: tally{schedules: 1},
	}
}

// errEndless says that a worker never came to its end.
var errEndless = errors.New("a worker goes on for ever")

const (
	mostLives = 5
	mostSteps = 5000
)

// live plays lives until one of them comes to the log's end without a crash, then lets
// the zombies do what they still can. It returns what is wrong with what came of it.
func (w *world) live() error {
	defer func() {
		for _, l := range w.lives {
			l.kill()
		}
	}()
	owner := w.begin()
	for steps := 0; ; steps++ {
		if steps > mostSteps {
			return errEndless
		}
		switch chance := w.rng.IntN(200); {
		case chance < 5 && len(w.lives) < mostLives: // kill -9
			owner.kill()
			owner = w.begin()
		case chance < 9 && len(w.lives) < mostLives: // taken for dead
			w.zombies = append(w.zombies, owner)
			w.told.zombies++
			owner = w.begin()
		case chance < 11 && len(w.dumps) > 0 && len(w.lives) < mostLives: // restarted from an older dump
			w.restore(w.dumps[w.rng.IntN(len(w.dumps))])
		case chance < 14:
			w.dumps = append(w.dumps, dump{w.memory.Copy(), w.writes})
		case chance < 17:
			w.retain()
		case chance < 22:
			w.arrive()
		case chance < 70 && len(w.zombies) > 0:
			w.stir(w.rng.IntN(len(w.zombies)))
		default:
			if _, more := owner.resume(); more {
				continue
			}
			if owner.err == nil && !owner.lost {
				return w.end()
			}
			if err := w.wantGone(owner, owner.err); err != nil {
				return err
			}
			owner = w.begin()
		}
	}
}

// A dump is what the store had after so many writes.
type dump struct {
	memory *statestore.Memory
	writes int
}

// restore puts the store back to a dump. Each process would notice, by the number of its
// next write, that one of its own is gone; here they share a store.
func (w *world) restore(d dump) {
	w.memory.Restore(d.memory)
	w.told.restored++
	for _, l := range w.lives {
		l.lost = l.lost || l.acked > d.writes
	}
}

// end lets everything happen that still can, and compares.
func (w *world) end() error {
	for steps := 0; len(w.zombies) > 0; steps++ {
		if steps > mostSteps {
			return errEndless
		}
		w.stir(0)
	}
	for len(w.delayed) > 0 {
		w.arrive()
	}
	for w.kafka.ending {
		w.kafka.settle()
	}
	return w.wantAsUninterrupted()
}

// stir lets a zombie go one step.
func (w *world) stir(i int) {
	z := w.zombies[i]
	if _, more := z.resume(); more {
		return
	}
	w.zombies = append(w.zombies[:i], w.zombies[i+1:]...)
	if z.err != nil {
		w.told.fenced++
	}
}

// wantGone says what is wrong with the end of an owner: it may have lost the store's
// writes, or a transaction, and nothing else.
func (w *world) wantGone(l *life, err error) error {
	if err == nil || anyOf(err, statestore.ErrRegressed, ErrTransactionLost) {
		return nil
	}
	if w.told.restored > 0 && anyOf(err, statestore.ErrFenced) {
		return nil
	}
	return fmt.Errorf("the owner, life %d, was thrown out: %w", len(w.lives), err)
}

// arrive lets a delayed request take effect.
func (w *world) arrive() {
	if len(w.delayed) == 0 {
		return
	}
	i := w.rng.IntN(len(w.delayed))
	request := w.delayed[i]
	w.delayed = append(w.delayed[:i], w.delayed[i+1:]...)
	request()
	w.told.late++
}

// retain deletes outputs that the group's note speaks of, as retention does.
func (w *world) retain() {
	for _, s := range []struct {
		topic  string
		number int
	}{{simScores, testPartition.Number}, {simLetters, 0}} {
		l := w.kafka.logs[s.topic]
		note, ok := readNote(w.kafka.committed.note)[fmt.Sprintf("%s-%d", s.topic, s.number)]
		if ok && note.tail > l.first {
			l.first += 1 + w.rng.Int64N(note.tail-l.first)
		}
	}
}

// wantAsUninterrupted compares the outcome with the history.
func (w *world) wantAsUninterrupted() error {
	if diff := cmp.Diff(w.history.scores, texted(w.kafka.logs[simScores].seen())); diff != "" {
		return fmt.Errorf("scores (-uninterrupted +with crashes):\n%s", diff)
	}
	if diff := cmp.Diff(w.history.letters, texted(w.kafka.logs[simLetters].seen())); diff != "" {
		return fmt.Errorf("dead letters (-uninterrupted +with crashes):\n%s", diff)
	}
	if diff := cmp.Diff(w.history.records, storeRecords(w.t, w.memory)); diff != "" {
		return fmt.Errorf("records (-uninterrupted +with crashes):\n%s", diff)
	}
	return nil
}

// play plays one schedule.
func (s *simulation) play(seed uint64, h *simHistory, broken *mutation) (tally, error) {
	w := s.world(seed, h, broken)
	err := w.live()
	w.told.lives = len(w.lives)
	if err != nil {
		err = fmt.Errorf("seed %d, %s: %w", seed, w.mode, err)
	}
	return w.told, err
}

// spent is what a worker takes for its time, in the bubble's.
func (w *world) spent() { time.Sleep(time.Duration(w.rng.IntN(500)) * time.Millisecond) }
