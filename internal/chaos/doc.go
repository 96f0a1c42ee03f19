// Package chaos injects faults into Weir at work on real servers and counts what they cost.
// It is all tests: make chaos runs them, and prints one table with a row for each.
//
// A test starts a [scenario]: topics on a Kafka cluster of three brokers, a Redis of its
// own, telemetry that is written all the time, and weir run as processes. It injects its
// fault again and again, lets the operators finish and compares what they left behind with
// what weir score, one process that nothing happens to, makes of the same events: every
// output byte for byte, and every stream's state in Redis byte for byte. What is counted is
// a row of the table:
//
//	lost        events without an output, or without their dead letter
//	duplicated  outputs that are there more than once
//	altered     outputs whose bytes differ
//	states      streams whose stored state or its offset differs
//
// A row is all zeros, or its test says exactly what else it expects and why: where Kafka or
// Redis has lost for good what nothing can bring back, or where the configured policy is to
// stop.
//
// The Kafka cluster is the caller's (.ci/chaos.sh starts it): CHAOS_DIR names the
// folder that it lies in, and everything else is put there. Without it, the tests skip.
// CHAOS_ROUNDS is how often each fault is injected.
package chaos
