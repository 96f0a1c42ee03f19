// Package web is what a running Weir shows of itself over HTTP: whether it lives and is
// ready (Health), the streams that it scores (Board), an API for both (API), and a page
// that uses nothing but that API. A Server answers with limits, and a Guard keeps other
// sites' pages out.
//
// # From a worker to a browser
//
//	worker ─► Board.Observe ─► ring per stream ─► snapshot ─► one writer a client
//
// Observe copies a batch's predictions into one of a fixed number of buffers, and drops
// them where none is free: a worker never waits for whoever looks. One goroutine, Run,
// takes the buffers and keeps the last points of each stream in rings of fixed memory.
// A client's goroutine takes a snapshot when it is ready for one, so a slow client sees
// fewer of them, and slows nobody.
//
// The package knows nothing of Kafka or Redis. The parts that do report to Health, by the
// name of the component, and Health repeats what they said without the passwords that an
// error's text may hold.
package web
