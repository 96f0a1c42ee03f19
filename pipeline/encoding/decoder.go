package encoding

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirstream/weir/operator"
)

// Options say how records are read.
type Options struct {
	// Encoding is one of Names.
	Encoding string
	JSON     JSONNames
	OTLP     OTLPOptions
	// InfluxPrecision is the unit of timestamps in line protocol.
	InfluxPrecision time.Duration
}

// Names returns the encodings that a Decoder reads, as configurations call them.
func Names() []string {
	return []string{"json", "otlp_proto", "otlp_json", "prometheus", "influx", "avro", "auto"}
}

// A Decoder reads records of one encoding, or of whichever each record is in. Records that
// are CloudEvents are unwrapped first. It belongs to one goroutine.
type Decoder struct {
	options  Options
	encoding string

	json       *JSON
	otlp       *OTLP
	otlpJSON   *OTLPJSON
	prometheus *RemoteWrite
	influx     *Influx
	avro       *Avro

	whole [1]Fault // of a record that could not be unwrapped
}

// NewDecoder returns a decoder as the options say.
func NewDecoder(o Options) (*Decoder, error) {
	if !slices.Contains(Names(), o.Encoding) {
		return nil, fmt.Errorf("encoding %q: choose one of %q", o.Encoding, Names())
	}
	json, err := NewJSON(o.JSON)
	if err != nil {
		return nil, err
	}
	influx, err := NewInflux(o.InfluxPrecision)
	if err != nil {
		return nil, err
	}
	return &Decoder{
		options: o, encoding: o.Encoding, json: json, otlp: NewOTLP(o.OTLP), otlpJSON: NewOTLPJSON(o.OTLP),
		prometheus: NewRemoteWrite(), influx: influx, avro: NewAvro(o.JSON),
	}, nil
}

// Twin returns another decoder with the same options.
func (d *Decoder) Twin() *Decoder {
	twin, err := NewDecoder(d.options)
	if err != nil {
		panic("encoding: options that were taken before: " + err.Error())
	}
	return twin
}

// Reset takes back the memory of all events decoded so far.
func (d *Decoder) Reset() {
	d.json.Reset()
	d.otlp.Reset()
	d.otlpJSON.Reset()
	d.prometheus.Reset()
	d.influx.Reset()
	d.avro.Reset()
}

// MissingSchema returns the name of the schema that the record is written with, if that has
// yet to be learnt.
func (d *Decoder) MissingSchema(r Record) (name string, missing bool) {
	if d.encoding != "avro" && d.encoding != "auto" {
		return "", false
	}
	r, fault := UnwrapCloudEvent(r)
	if fault != nil {
		return "", false
	}
	// What a record is takes longer to tell than whether it begins with an unknown schema.
	if name, missing = d.avro.Missing(r); missing && d.encoding == "auto" && recognise(r) != "avro" {
		return "", false
	}
	return name, missing
}

// LearnSchema tells the decoder what a schema is: its text behind those of the schemas that
// it refers to. No text at all means that there is no such schema.
func (d *Decoder) LearnSchema(name string, texts []string) { d.avro.Learn(name, texts) }

// Decode appends the record's events to dst, and says what is wrong with the others. The
// events are valid as long as the record is, and until Reset; the faults until the next
// Decode.
func (d *Decoder) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	r, fault := UnwrapCloudEvent(r)
	if fault != nil {
		d.whole[0] = *fault
		return dst, d.whole[:]
	}
	encoding := d.encoding
	if encoding == "auto" {
		encoding = recognise(r)
	}
	switch encoding {
	case "otlp_proto":
		return d.otlp.Decode(dst, r)
	case "otlp_json":
		return d.otlpJSON.Decode(dst, r)
	case "prometheus":
		return d.prometheus.Decode(dst, r)
	case "influx":
		return d.influx.Decode(dst, r)
	case "avro":
		return d.avro.Decode(dst, r)
	}
	return d.json.Decode(dst, r)
}
