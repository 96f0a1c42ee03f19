// Package encoding makes events of records, and records of predictions. It reads events in
// JSON and Avro, one a record, and records that hold many points at once: Influx line
// protocol, OTLP metrics (protobuf and JSON) and Prometheus remote write 1.0 and 2.0, each
// of them bare or inside a CloudEvent. It writes scores as JSON and as OTLP gauges.
//
// Each decoder is a type with one Decode, which appends a record's events to a slice and
// says with a [Fault] what was wrong with the others: a bad point does not take the good
// ones of its record with it. The order is the record's own, so the same bytes give the
// same events. [Decoder] is all of them, chosen by name or by what a record looks like.
//
// A stream that has no name of its own, as in JSON and Avro, is named
//
//	name,key=value,key=value
//
// with the keys sorted by their bytes, and with a backslash before any backslash, comma,
// equals sign and semicolon of a name, a key or a value. OTLP adds the resource and the
// scope behind semicolons; see [OTLPOptions].
//
// Decoders alias the record where they can and else write to memory of their own: events
// are valid as long as their record is, and until the decoder's Reset. A decoder belongs to
// one goroutine.
package encoding
