package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 5 * time.Second
	retryLog   = 10 * time.Second // a lasting failure is logged this often
)

// A Retrier repeats what fails while Kafka or the store is away, and says so once in
// the log, not once a try.
type Retrier struct {
	Log *slog.Logger
	// Report is told after every try how a component ("kafka", "state") does: nil when
	// it works.
	Report func(component string, err error)
	// Note is told what happened to a component that works again; it may be nil.
	Note func(component, text string)
	// Beat is called with every try, so that one that takes for ever is known; it may be nil.
	Beat func()
	// Count is told of every failed try of an operation.
	Count func(op string)
	// Once makes the first error final, where waiting mends nothing.
	Once bool
}

// Do calls fn until it succeeds, ctx ends or the error is one that a repetition
// cannot mend. It returns fn's last error, or ctx's if that came first.
func (r *Retrier) Do(ctx context.Context, component, op string, fn func(context.Context) error) error {
	var failing retryLogger
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		if r.Beat != nil {
			r.Beat()
		}
		err := fn(ctx)
		if err == nil {
			if failing.tries > 0 {
				r.Log.Info("works again", "op", op, "component", component, "tries", failing.tries)
			}
			r.Report(component, nil)
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if r.Once || permanent(err) {
			return err
		}
		r.Count(op)
		r.Report(component, err)
		failing.log(r.Log, op, component, wait, err)
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(wait):
		}
	}
}

// permanent reports whether err stays as it is however often the call is made.
func permanent(err error) bool {
	return errors.Is(err, statestore.ErrFenced) || errors.Is(err, statestore.ErrEvicts) || errors.Is(err, statestore.ErrRegressed) ||
		errors.Is(err, ErrRefused) || errors.Is(err, ErrNotOwner) || errors.Is(err, ErrTransactionLost) ||
		errors.Is(err, operator.ErrLoss) || errors.Is(err, ErrStateLost) ||
		errors.Is(err, ErrLogReplaced) || errors.Is(err, ErrTopics) || errors.Is(err, ErrEnd)
}

// A retryLogger writes the first failure of a row, then one line every retryLog.
type retryLogger struct {
	tries int
	last  time.Time
}

func (l *retryLogger) log(log *slog.Logger, op, component string, wait time.Duration, err error) {
	l.tries++
	if l.tries > 1 && time.Since(l.last) < retryLog {
		return
	}
	l.last = time.Now()
	log.Warn("failed, trying again", "op", op, "component", component, "try", l.tries, "wait", wait, "err", err)
}
