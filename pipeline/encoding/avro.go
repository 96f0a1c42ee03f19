package encoding

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/avro"

	"github.com/weirstream/weir/operator"
)

// An Avro decodes records of Avro, each an event like those in JSON: a record with the
// fields that JSONNames name. A stream is a string; a time is a timestamp of any precision,
// a long of Unix milliseconds or a string of RFC 3339; a value is any number, or the string
// of one; values are a map or a record of them. Whatever is null or absent in the schema is
// absent in the event.
//
// A record begins with the name of its schema in a registry, see [SchemaOf]. The decoder
// asks nobody: who calls it asks Missing, and hands it what the registry says.
type Avro struct {
	batch
	names   JSONNames
	schemas map[string]registered
}

// registered is a schema of the registry, or why it cannot be used.
type registered struct {
	schema *avro.Schema
	fault  *Fault
}

// maxSchemas bounds how many schemas are remembered; beyond it all are asked for again.
const maxSchemas = 4096

// NewAvro returns a decoder of records with the named fields.
func NewAvro(names JSONNames) *Avro {
	return &Avro{names: names, schemas: map[string]registered{}}
}

// SchemaOf returns the name of a record's schema, and what follows it:
//
//   - a header __value_schema_id that holds one of the two below, before a value that is
//     all data,
//   - a 0 byte and the id in four bytes, big endian: "42",
//   - a 1 byte and the schema's GUID in 16: "7f1ad5a9-…".
func SchemaOf(r Record) (name string, data []byte, ok bool) {
	if value, has := header(r.Headers, "__value_schema_id"); has {
		name, rest, ok := framed(value)
		return name, r.Value, ok && len(rest) == 0
	}
	return framed(r.Value)
}

func framed(b []byte) (name string, rest []byte, ok bool) {
	switch {
	case len(b) >= 5 && b[0] == 0:
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[1:])), 10), b[5:], true
	case len(b) >= 17 && b[0] == 1:
		g := hex.EncodeToString(b[1:17])
		return g[:8] + "-" + g[8:12] + "-" + g[12:16] + "-" + g[16:20] + "-" + g[20:], b[17:], true
	}
	return "", nil, false
}

// Missing returns the name of the record's schema if it has yet to be learnt.
func (d *Avro) Missing(r Record) (name string, missing bool) {
	name, _, ok := SchemaOf(r)
	if !ok {
		return "", false
	}
	_, known := d.schemas[name]
	return name, !known
}

// Learn tells the decoder what a schema is: its text behind those of the schemas that it
// refers to. No text at all means that the registry does not have it.
func (d *Avro) Learn(name string, texts []string) {
	if len(d.schemas) >= maxSchemas {
		clear(d.schemas)
	}
	d.schemas[name] = parseSchema(name, texts)
}

func parseSchema(name string, texts []string) registered {
	if len(texts) == 0 {
		return registered{fault: &Fault{WholeRecord, ReasonUnknownSchema, "the registry has no schema " + name}}
	}
	var cache avro.SchemaCache
	var schema *avro.Schema
	for _, text := range texts {
		var err error
		if schema, err = cache.Parse(text); err != nil {
			return registered{fault: &Fault{WholeRecord, ReasonUnknownSchema, "schema " + name + " is no Avro: " + plain(err)}}
		}
	}
	return registered{schema: schema}
}

// Decode appends the record's one event to dst, or says what is wrong with it. The faults
// are valid until the next Decode.
func (d *Avro) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	if d.begin(dst, r) {
		if fault := d.read(r); fault != nil {
			d.faults = append(d.faults, *fault)
		}
	}
	return d.end()
}

func (d *Avro) read(r Record) *Fault {
	name, data, ok := SchemaOf(r)
	known := d.schemas[name]
	switch {
	case !ok:
		return &Fault{WholeRecord, ReasonMalformed, "the record does not begin with a schema's id"}
	case known.fault != nil:
		return known.fault
	case known.schema == nil:
		return &Fault{WholeRecord, ReasonUnknownSchema, "schema " + name + " is not known: there is no registry"}
	}
	var value any
	rest, err := known.schema.Decode(data, &value)
	if err != nil {
		return &Fault{WholeRecord, ReasonMalformed, "not of schema " + name + ": " + plain(err)}
	}
	if len(rest) > 0 {
		return faultf(ReasonMalformed, "%d bytes behind the data of schema %s", len(rest), name)
	}
	record, ok := value.(map[string]any)
	if !ok {
		return &Fault{WholeRecord, ReasonMalformed, "schema " + name + " is no record"}
	}
	d.start()
	return d.event(record, r)
}

// event adds what the record holds.
func (d *Avro) event(record map[string]any, r Record) *Fault {
	stream, fault := d.stream(record, r.Key)
	if fault != nil {
		return fault
	}
	at, ok := avroTime(record[d.names.Time], r.Time)
	if !ok {
		return faultf(ReasonBadTime, "%q is no time: %.64v", d.names.Time, record[d.names.Time])
	}
	if fault := d.fieldsOf(record); fault != nil {
		return fault
	}
	fields := d.current()
	if !d.checkStream(stream) || !d.checkFields(fields) {
		last := &d.faults[len(d.faults)-1]
		fault := &Fault{WholeRecord, last.Reason, last.Detail}
		d.faults = d.faults[:len(d.faults)-1]
		return fault
	}
	d.events = append(d.events, operator.Event{Index: operator.WholeRecord, Stream: d.keep(stream), Time: at, Fields: fields})
	return nil
}

func (d *Avro) stream(record map[string]any, key []byte) ([]byte, *Fault) {
	switch name := record[d.names.Stream].(type) {
	case nil:
	case string:
		if name != "" {
			return []byte(name), nil
		}
	default:
		return nil, faultf(ReasonBadStream, "%q is no string", d.names.Stream)
	}
	if len(key) == 0 {
		return nil, faultf(ReasonNoStream, "neither %q nor the record's key names a stream", d.names.Stream)
	}
	return key, nil
}

func (d *Avro) fieldsOf(record map[string]any) *Fault {
	value, values := record[d.names.Value], record[d.names.Values]
	if value != nil && values != nil {
		return faultf(ReasonBadValue, "the record has both %q and %q", d.names.Value, d.names.Values)
	}
	if value != nil {
		return d.number("", value)
	}
	if values == nil {
		return faultf(ReasonNoValue, "the record has no number in %q or %q", d.names.Value, d.names.Values)
	}
	fields, ok := values.(map[string]any)
	if !ok {
		return faultf(ReasonBadValue, "%q is neither a map nor a record", d.names.Values)
	}
	if len(fields) > MaxFields {
		return faultf(ReasonTooLarge, "more than %d fields", MaxFields)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		if v == nil {
			continue
		}
		if name == "" {
			return faultf(ReasonBadValue, "a field's name is empty")
		}
		if fault := d.number(name, v); fault != nil {
			return fault
		}
	}
	return nil
}

// number adds a field.
func (d *Avro) number(name string, value any) *Fault {
	v, ok := avroNumber(value)
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		return faultf(ReasonBadValue, "value of %q is %.64v, not a finite number", name, value)
	}
	d.field(d.keep([]byte(name)), v)
	return nil
}

func avroNumber(value any) (v float64, ok bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case *big.Rat:
		v, _ = n.Float64()
		return v, true
	case string:
		if text := []byte(n); len(text) > 0 && numberLen(text) == len(text) {
			return parseNumber(text)
		}
	}
	return 0, false
}

// avroTime returns a time in Unix milliseconds; that of the record where there is none.
func avroTime(value any, recordTime int64) (ms int64, ok bool) {
	switch t := value.(type) {
	case nil:
		ms, ok = recordTime, recordTime >= 0
	case time.Time:
		ms, ok = t.UnixMilli(), true
	case int64:
		ms, ok = t, true
	case string:
		return parseTime([]byte(t))
	}
	return ms, ok && ms >= minTime && ms <= maxTime
}
