package encoding

import (
	"bytes"
	"mime"
	"unicode/utf8"

	"github.com/klauspost/compress/snappy"
)

// recognise returns the encoding of a record: what its content-type says, where that says
// enough, and else what its bytes look like. What looks like nothing is taken for JSON,
// whose decoder then says what is wrong with it.
func recognise(r Record) string {
	if _, has := header(r.Headers, "__value_schema_id"); has {
		return "avro"
	}
	typ, _ := header(r.Headers, contentType)
	media, parameters, err := mime.ParseMediaType(string(typ))
	if err != nil {
		return recogniseValue(r.Value)
	}
	switch media {
	case "application/x-protobuf", "application/protobuf":
		_, isWrite := parameters["proto"] // as remote write's specification has it
		compression, _ := header(r.Headers, "content-encoding")
		if isWrite || string(compression) == "snappy" {
			return "prometheus"
		}
		return "otlp_proto"
	case "application/json":
		return recogniseObject(r.Value)
	case "application/avro", "avro/binary":
		return "avro"
	}
	return recogniseValue(r.Value)
}

func recogniseValue(value []byte) string {
	text := bytes.TrimLeft(value, " \t\r\n")
	switch {
	case len(text) > 0 && (text[0] == '{' || text[0] == '[' || text[0] == '"'):
		return recogniseObject(text)
	case isAvro(value):
		return "avro"
	case isOTLP(value):
		return "otlp_proto"
	case len(text) > 0 && isText(text):
		return "influx"
	case isRemoteWrite(value):
		return "prometheus"
	}
	return "json"
}

// recogniseObject tells the two kinds of JSON apart by the first member, which is the only
// one that OTLP has.
func recogniseObject(value []byte) string {
	value = bytes.TrimLeft(value, " \t\r\n{")
	if bytes.HasPrefix(value, []byte(`"resourceMetrics"`)) || bytes.HasPrefix(value, []byte(`"resource_metrics"`)) {
		return "otlp_json"
	}
	return "json"
}

// isText reports whether there are no control characters but those of line protocol.
func isText(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return utf8.Valid(value)
}

// isAvro reports whether the value begins with the name of a schema. No other encoding
// begins with 0 or 1: as a tag of protobuf they would be of field 0, and as the length of a
// block they would leave no room for a request.
func isAvro(value []byte) bool {
	_, _, ok := framed(value)
	return ok
}

// isOTLP reports whether the value is a list of ResourceMetrics and nothing else.
func isOTLP(value []byte) bool {
	w := wire{rest: value}
	n := 0
	for w.next() {
		if w.tag != tagResourceMetrics {
			return false
		}
		n++
	}
	return n > 0 && !w.bad
}

// isRemoteWrite reports whether the value is a snappy block that begins as a write request
// does.
func isRemoteWrite(value []byte) bool {
	if size, err := snappy.DecodedLen(value); err != nil || size == 0 || size > MaxValueBytes {
		return false
	}
	plain, err := snappy.Decode(nil, value)
	if err != nil {
		return false
	}
	w := wire{rest: plain}
	return w.next() && (w.tag == tagSeries1 || w.tag == tagSymbols || w.tag == tagSeries2 || w.tag == 3<<3|block)
}
