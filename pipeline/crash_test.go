package pipeline

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

var (
	schedules = flag.Int("schedules", 1000, "how many schedules of faults to simulate")
	oneSeed   = flag.Int("seed", -1, "the one schedule to simulate, as a failure names it")
)

// perHistory is how many schedules one input log is played with.
const perHistory = 20

// TestNoScheduleOfFaultsChangesStatesOrOutputs plays lives of the real worker, with the
// real delivery and the real group member, on a simulated Kafka and store: crashes before
// and after every request, workers that are taken for dead and go on, requests that fail,
// whose answer is lost or that arrive late, a store that restarts from an older dump,
// retention in the output. Each schedule must come to the same scores and dead letters, in
// the same order, each once, and to the same bytes in the store as if nothing had happened.
// A seed is a whole schedule: the same one fails again in the same way.
func TestNoScheduleOfFaultsChangesStatesOrOutputs(t *testing.T) {
	if *oneSeed >= 0 {
		synctest.Test(t, func(t *testing.T) {
			s := newSimulation(t)
			if _, err := s.play(uint64(*oneSeed), s.history(uint64(*oneSeed-*oneSeed%perHistory)), nil); err != nil {
				t.Fatal(err)
			}
		})
		return
	}
	n := *schedules
	if testing.Short() {
		n /= 10
	}
	var mu sync.Mutex
	var sum tally
	t.Run("seeds", func(t *testing.T) {
		parts := runtime.GOMAXPROCS(0)
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					told := playAll(t, part, parts, n)
					mu.Lock()
					defer mu.Unlock()
					sum.add(told)
				})
			})
		}
	})
	t.Logf("%+v", sum)
	if sum.lives < 3*n || sum.fenced < n/10 || sum.restored < n/10 || sum.late < n/10 {
		t.Errorf("the schedules are too kind: %+v", sum)
	}
}

// playAll plays every parts-th history's schedules.
func playAll(t *testing.T, part, parts, n int) (sum tally) {
	s := newSimulation(t)
	for seed := part * perHistory; seed < n; seed += parts * perHistory {
		h := s.history(uint64(seed))
		for i := range min(perHistory, n-seed) {
			told, err := s.play(uint64(seed+i), h, nil)
			if err != nil {
				t.Fatal(err)
			}
			sum.add(told)
		}
	}
	return sum
}
