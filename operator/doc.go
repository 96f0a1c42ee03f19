// Package operator turns a partition's events into predictions and moves the states of
// its streams. It is a dataflow operator; Kubernetes has another meaning for the word.
//
// [Operator] is the whole of it. One goroutine owns one partition and one Operator:
//
//	op := operator.New(model, store, partition, token, config)
//	cursor, err := op.Claim(ctx, alive)      // where to go on
//	result, err := op.Apply(ctx, events)     // step, score, learn; in the events' order
//	// ... result's predictions are written and acknowledged ...
//	saved, err := op.Checkpoint(ctx, next, fingerprint)
//
// # One event
//
// The stream's state is looked up in memory, else loaded from the store. An event at or
// below the stream's last offset was processed before and is skipped. Otherwise each of
// its fields becomes one row of a batch (package ssm steps many streams at once, with the
// same bits as one by one): the row is what was known before the event, and the time that
// has passed. The step gives the distribution that the event's value is now held against:
//
//	normalizer   running statistics: what makes everything below free of units
//	features     the model's input: the field's last value, change and level in those terms
//	head         the model's output: quantiles of the value 1, 8 and 64 events ahead
//	foresight    what was forecast of the value 8 and 64 events ago, and which forecast fits best
//	watch        what is unusual in a field's value: level, hour of the day, forecast, unrest
//	judge        the fields' signs as signals of the stream, each with a p-value among what
//	             it said before (calibrator), and their harmonic mean
//	peaks        how great the evidence is that this stream's news exceed as often as alarms may come
//	decide       the evidence against that; an incident is one alarm
//
// Then the stream learns the event. A late one it does not learn.
//
// # Why a crash does no harm
//
// A state and the offset it was computed at are one value in the store. The caller writes
// outputs first, then calls Checkpoint, which saves the changed states and only then moves
// the cursor. Whatever happens in between, a restart reads on from the cursor, skips what
// a state holds already (its outputs are written, for they came first), and does the rest
// again, to the same bits: nothing in this package asks for the time, iterates over a map
// or depends on how events were batched. Streams leave memory only in Checkpoint, since to
// evict is to save.
package operator
