// Package pipeline carries events from a log through the operator to another log.
//
// A [Worker] is one partition's loop, on one goroutine:
//
//	Source.Fetch → decode → Operator.Apply → encode → Sink.Write → (when due) checkpoint
//
// A record that is no event goes to the dead letters with its reason, and the rest goes on.
// A checkpoint is states, then cursor, then Source.Commit, and follows only upon
// acknowledged writes; package operator says why that order is right. What fails because
// Kafka or the store is away is tried again ([Retrier]), and meanwhile nothing is fetched.
//
// [Source] and [Sink] have two implementations each. Kafka's read and write one partition
// with plain requests ([KafkaSource], [KafkaSink]); a [Group] says which partitions are this
// process's, for how long. [LineSource] and [LineSink] are files and pipes of events.
//
// Everything that knows kafka-go is here. It can do more than its Reader and Writer, which
// this package does without: the Reader hands out messages of partitions that are already
// lost, jumps over what retention removed and shows aborted transactions; the Writer's
// batches have no place of their own in a partition.
package pipeline
