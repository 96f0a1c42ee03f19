package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

// A logbook is a slog.Handler that keeps when what was logged.
type logbook struct {
	began time.Time
	lines []string
}

func (b *logbook) Handle(_ context.Context, r slog.Record) error {
	line := fmt.Sprintf("%v %s %s", r.Time.Sub(b.began), r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "try" || a.Key == "tries" {
			line += " " + a.String()
		}
		return true
	})
	b.lines = append(b.lines, line)
	return nil
}

func (b *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logbook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logbook) WithGroup(string) slog.Handler            { return b }

// A retrial is a Retrier, and what it told.
type retrial struct {
	Retrier
	log     logbook
	reports []string
	counted int
}

func newRetrial() *retrial {
	r := &retrial{log: logbook{began: time.Now()}}
	r.Log = slog.New(&r.log)
	r.Report = func(component string, err error) { r.reports = append(r.reports, fmt.Sprint(component, ": ", err)) }
	r.Count = func(string) { r.counted++ }
	return r
}

func TestRetryWaitsTwiceAsLongEachTimeUpToFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetrial()
		began := time.Now()
		var at []time.Duration
		err := r.Do(t.Context(), "kafka", "fetch", func(context.Context) error {
			at = append(at, time.Since(began))
			if len(at) == 11 {
				return nil
			}
			return errAway
		})
		if err != nil {
			t.Fatal(err)
		}
		const ms = time.Millisecond
		want := []time.Duration{
			0, 50 * ms, 150 * ms, 350 * ms, 750 * ms, 1550 * ms, 3150 * ms, 6350 * ms, 11350 * ms, 16350 * ms, 21350 * ms,
		}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("tries at (-want +got):\n%s", diff)
		}
		if r.counted != 10 {
			t.Errorf("%d failures counted, want 10", r.counted)
		}
		wantLog := []string{
			"0s WARN failed, trying again try=1", "11.35s WARN failed, trying again try=9", "21.35s INFO works again tries=10",
		}
		if diff := cmp.Diff(wantLog, r.log.lines); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		wantReports := append(slices.Repeat([]string{"kafka: away"}, 10), "kafka: <nil>")
		if diff := cmp.Diff(wantReports, r.reports); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	})
}

func TestEachRowOfFailuresIsLoggedAtOnceAndThenEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetrial()
		for range 2 {
			until := time.Now().Add(time.Minute)
			if err := r.Do(t.Context(), "state", "load", func(context.Context) error {
				if time.Now().Before(until) {
					return errAway
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{
			"0s WARN failed, trying again try=1", "11.35s WARN failed, trying again try=9", "21.35s WARN failed, trying again try=11",
			"31.35s WARN failed, trying again try=13", "41.35s WARN failed, trying again try=15", "51.35s WARN failed, trying again try=17",
			"1m1.35s INFO works again tries=18", "1m1.35s WARN failed, trying again try=1",
		}
		if diff := cmp.Diff(want, r.log.lines[:min(len(want), len(r.log.lines))]); diff != "" || len(r.log.lines) != 14 {
			t.Errorf("%d lines of log (-want +got):\n%s", len(r.log.lines), diff)
		}
	})
}

func TestSuccessAtOnceLogsNothing(t *testing.T) {
	r := newRetrial()
	if err := r.Do(t.Context(), "kafka", "fetch", func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(r.log.lines) > 0 || r.counted > 0 {
		t.Errorf("log %v, %d failures", r.log.lines, r.counted)
	}
}

func TestWhatNoRepetitionMendsIsNotRepeated(t *testing.T) {
	for _, final := range []error{
		statestore.ErrFenced, statestore.ErrRegressed, statestore.ErrEvicts, ErrRefused, ErrLogReplaced, ErrTopics, ErrEnd,
	} {
		r, tries := newRetrial(), 0
		err := r.Do(t.Context(), "state", "save", func(context.Context) error {
			tries++
			return fmt.Errorf("save: %w", final)
		})
		if !errors.Is(err, final) || tries != 1 || len(r.log.lines) > 0 {
			t.Errorf("%v: error %v after %d tries, log %v", final, err, tries, r.log.lines)
		}
	}
}

func TestOnceMakesTheFirstErrorFinal(t *testing.T) {
	r, tries := newRetrial(), 0
	r.Once = true
	err := r.Do(t.Context(), "state", "save", func(context.Context) error { tries++; return errAway })
	if !errors.Is(err, errAway) || tries != 1 {
		t.Errorf("error %v after %d tries", err, tries)
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	cause := errors.New("shutting down")
	synctest.Test(t, func(t *testing.T) {
		r := newRetrial()
		ctx, cancel := context.WithTimeoutCause(t.Context(), 9*time.Second, cause)
		defer cancel()
		began := time.Now()
		err := r.Do(ctx, "kafka", "fetch", func(context.Context) error { return errAway })
		if took := time.Since(began); took != 9*time.Second || !errors.Is(err, cause) || !errors.Is(err, errAway) {
			t.Errorf("after %v: %v; want both the cause and the last failure, after 9 s", took, err)
		}
	})
	t.Run("while trying", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		tries := 0
		err := newRetrial().Do(ctx, "kafka", "fetch", func(ctx context.Context) error {
			tries++
			cancel(cause)
			return ctx.Err()
		})
		if !errors.Is(err, cause) || tries != 1 {
			t.Errorf("error %v after %d tries", err, tries)
		}
	})
}
