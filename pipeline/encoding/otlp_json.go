package encoding

import (
	"strings"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/weirstream/weir/operator"
)

// An OTLPJSON decodes the JSON form of what an OTLP decodes, which a Collector's kafka
// exporter calls otlp_json. Points are the same as of the protobuf form.
//
// OTLP's JSON is protobuf's with three rules of its own. Unknown members are ignored and
// enums are numbers, both of which the reader allows. Trace and span ids are hexadecimal
// instead of base64; they only occur in exemplars, which are not read, and what the reader
// takes them for is dropped with them.
//
// A text that is not JSON of this form has no points: which of them is at fault is not
// known.
type OTLPJSON struct {
	otlp    OTLP
	message metricspb.MetricsData
	binary  []byte
}

// NewOTLPJSON returns a decoder that names streams as the options say.
func NewOTLPJSON(options OTLPOptions) *OTLPJSON {
	return &OTLPJSON{otlp: OTLP{options: options}}
}

// maxOTLPDepth is how deep messages may be nested.
const maxOTLPDepth = 64

// Reset takes back the memory of all points decoded so far.
func (d *OTLPJSON) Reset() { d.otlp.Reset() }

// Decode appends the record's points to dst, and says what is wrong with the others. The
// faults are valid until the next Decode.
func (d *OTLPJSON) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	if !d.otlp.begin(dst, r) {
		return d.otlp.end()
	}
	err := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxOTLPDepth}.Unmarshal(r.Value, &d.message)
	if err == nil {
		d.binary, err = proto.MarshalOptions{}.MarshalAppend(d.binary[:0], &d.message)
	}
	proto.Reset(&d.message)
	if err != nil {
		d.otlp.refuse(ReasonNotJSON, "%s", plain(err))
		return d.otlp.end()
	}
	d.otlp.metrics(d.binary) // No point aliases it: names are copied.
	return d.otlp.end()
}

// plain is the text of an error of protobuf's, which puts a non-breaking space into it
// in some builds and not in others, cut to a length fit for a header.
func plain(err error) string {
	const most = 400
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\u00a0", " "), "?")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
