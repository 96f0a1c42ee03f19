package encoding

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/operator"
)

// The reference: the same rules on top of encoding/json, written the slow way.

var (
	shortEscape   = regexp.MustCompile(`\\[^u]`)
	surrogatePair = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	surrogateHalf = regexp.MustCompile(`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)
	jsonNumber    = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	onlyDigits    = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
	// time.Parse has its own idea of letter case, and accepts a decimal comma and
	// offsets of more than a day.
	rfc3339 = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?` +
		`([Zz]|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$`)
)

// referenceValid says whether b is JSON as Weir has it: what encoding/json
// accepts, in valid UTF-8, without half surrogate pairs.
func referenceValid(b []byte) bool {
	text := shortEscape.ReplaceAllString(string(b), "x")
	text = surrogatePair.ReplaceAllString(text, "x")
	return json.Valid(b) && utf8.Valid(b) && !surrogateHalf.MatchString(text)
}

// referenceDepth is the deepest nesting of valid JSON.
func referenceDepth(b []byte) (deepest int) {
	depth := 0
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

type referenceMember struct {
	name  string
	value json.RawMessage
}

func referenceMembers(b []byte) (members []referenceMember, isObject bool) {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, false
		}
		m := referenceMember{name: token.(string)}
		if err := dec.Decode(&m.value); err != nil {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

func referenceNumber(raw json.RawMessage) (float64, bool) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	f, err := strconv.ParseFloat(s, 64)
	return f + 0, err == nil && jsonNumber.MatchString(s)
}

func referenceTime(raw json.RawMessage) (int64, bool) {
	var s string
	isString := json.Unmarshal(raw, &s) == nil
	if isString && !onlyDigits.MatchString(s) {
		t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
		if err != nil || !rfc3339.MatchString(s) {
			return 0, false
		}
		return t.UnixMilli(), t.UTC().Year() >= 1 && t.UTC().Year() <= 9999
	}
	f, ok := referenceNumber(raw)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1e15 {
		return 0, false
	}
	year := time.UnixMilli(int64(f)).UTC().Year()
	return int64(f), year >= 1 && year <= 9999
}

func referenceFields(raw json.RawMessage, fields map[string]float64) bool {
	members, ok := referenceMembers(raw)
	seen := map[string]bool{}
	for _, m := range members {
		if seen[m.name] || m.name == "" || len(m.name) > MaxFieldNameBytes {
			return false
		}
		seen[m.name] = true
		if string(m.value) == "null" {
			continue
		}
		if fields[m.name], ok = referenceNumber(m.value); !ok {
			return false
		}
	}
	return ok && len(members) <= MaxFields && len(fields) > 0
}

// referenceDecode returns what an accepted record holds.
func referenceDecode(key string, b []byte) (want decoded, ok bool) {
	members, ok := referenceMembers(b)
	if !ok {
		return want, false
	}
	found := map[string]json.RawMessage{}
	seen := map[string]bool{}
	for _, m := range members {
		known := m.name == "stream" || m.name == "ts" || m.name == "value" || m.name == "values"
		if known && seen[m.name] {
			return want, false
		}
		seen[m.name] = true
		if string(m.value) != "null" {
			found[m.name] = m.value
		}
	}
	want = decoded{Time: recordTime, Fields: map[string]float64{}}
	if raw, has := found["stream"]; has && json.Unmarshal(raw, &want.Stream) != nil {
		return want, false
	}
	if want.Stream == "" {
		want.Stream = key
	}
	if raw, has := found["ts"]; has {
		if want.Time, ok = referenceTime(raw); !ok {
			return want, false
		}
	}
	value, hasValue := found["value"]
	values, hasValues := found["values"]
	switch {
	case hasValue == hasValues:
		return want, false
	case hasValue:
		want.Fields[""], ok = referenceNumber(value)
	default:
		ok = referenceFields(values, want.Fields)
	}
	names := make([]string, 0, len(want.Fields))
	for name := range want.Fields {
		names = append(names, name)
	}
	sort.Strings(names)
	want.Order = strings.Join(append(names, ""), " ")
	return want, ok && want.Stream != "" && len(want.Stream) <= MaxStreamBytes && utf8.ValidString(want.Stream)
}

func checkAgrees(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, d *JSON, key string, value []byte,
) {
	t.Helper()
	var ev operator.Event
	err := decodeOne(d, &ev, []byte(key), value, recordTime)
	if len(value) == 0 {
		if err == nil {
			t.Fatalf("an empty record was accepted")
		}
		return
	}
	var fault *Fault
	if err != nil && !errors.As(err, &fault) {
		t.Fatalf("%q: error is no *Fault: %v", value, err)
	}
	valid := referenceValid(value)
	if valid && referenceDepth(value) > maxJSONDepth {
		if err == nil || fault.Reason != ReasonTooLarge {
			t.Fatalf("%q: %v, want %s", value, err, ReasonTooLarge)
		}
		return
	}
	// An invalid text may be found to be too deep before it is found to be invalid.
	if isNotJSON := err != nil && (fault.Reason == ReasonNotJSON || !valid && fault.Reason == ReasonTooLarge); isNotJSON == valid {
		t.Fatalf("%q: %v, but valid JSON: %v", value, err, valid)
	}
	want, ok := referenceDecode(key, value)
	if valid && ok != (err == nil) {
		t.Fatalf("key %q, value %q: %v, but the reference accepts: %v", key, value, err, ok)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, describe(&ev)); diff != "" {
		t.Fatalf("key %q, value %q: (-reference +got)\n%s", key, value, diff)
	}
}

func FuzzDecodeAgreesWithEncodingJSON(f *testing.F) {
	for value := range strings.SplitSeq(badJSON+"\n"+badValues+"\n"+badTimes, "\n") {
		f.Add("k", []byte(value))
	}
	for _, value := range benchRecords {
		f.Add("", []byte(value))
	}
	f.Add("\xff", []byte(`{"value":-1.5E+3,"\u0074s":"2026-11-23T10:28:00.1234-09:30"}`))
	f.Add("k", []byte(`{"x":[[[{"a":"\ud83d\ude00\\ud800"}]]],"values":{"b":"-0","a":null,"\"":1e22}}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		checkAgrees(t, newTestDecoder(t), key, value)
	})
}

func TestDecodeAgreesAtTheEdgesOfStrings(t *testing.T) {
	d := newTestDecoder(t)
	record := func(text string) []byte { return []byte(`{"value":1,"stream":"k` + text + `"}`) }
	for b := range 256 {
		checkAgrees(t, d, "", record(string([]byte{byte(b)})))
		checkAgrees(t, d, "", record(string([]byte{'\\', byte(b)})))
	}
	edges := []string{`\ud7ff`, `\ud800`, `\udbff`, `\udc00`, `\udfff`, `\ue000`, `\uFFFF`, `\u0000`, `\uD83D`, `\`, ``}
	for _, first := range edges {
		for _, second := range edges {
			checkAgrees(t, d, "", record(first+second))
		}
	}
	for n := range 6 {
		checkAgrees(t, d, "", record(`\ud83d\ude00`[:6+n]))
		checkAgrees(t, d, "", record("\xf0\x9f\x98\x80"[:min(n, 4)]))
	}
	siblings := strings.Repeat("[{}],", 2*maxJSONDepth)
	checkAgrees(t, d, "", []byte(`{"value":1,"stream":"s","x":[`+siblings+`0]}`))
}

// Random bytes are seldom close to a record; these are records with one or two
// bytes changed, cut out or doubled.
func TestDecodeAgreesOnDamagedRecords(t *testing.T) {
	d := newTestDecoder(t)
	var corpus []string
	corpus = append(corpus, strings.Split(badJSON+"\n"+badValues+"\n"+badTimes, "\n")...)
	corpus = append(corpus, benchRecords...)
	alphabet := rapid.SampledFrom([]byte(`{}[]",:\/ubnrtfasle0123456789.eE+-TZz nul` + "\x00\x1f\x7f\x80\xc3\xa9\xed\xa0\xff"))
	rapid.Check(t, func(t *rapid.T) {
		value := []byte(rapid.SampledFrom(corpus).Draw(t, "record"))
		for range rapid.IntRange(0, 3).Draw(t, "damages") {
			at := rapid.IntRange(0, len(value)).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "damage") {
			case 0:
				value = append(value[:at:at], append([]byte{alphabet.Draw(t, "byte")}, value[at:]...)...)
			case 1:
				if at < len(value) {
					value[at] = alphabet.Draw(t, "byte")
				}
			case 2:
				value = append(value[:at], value[min(at+1, len(value)):]...)
			}
		}
		checkAgrees(t, d, "key", value)
	})
}

func checkNumber(t interface {
	Helper()
	Errorf(format string, args ...any)
}, text string,
) {
	t.Helper()
	if got, want := numberLen([]byte(text)) == len(text) && text != "", jsonNumber.MatchString(text); got != want {
		t.Errorf("%q: is a number: %v, want %v", text, got, want)
		return
	}
	if !jsonNumber.MatchString(text) {
		return
	}
	want, err := strconv.ParseFloat(text, 64)
	got, finite := parseNumber([]byte(text))
	if finite != (err == nil) {
		t.Errorf("%q: finite: %v, but strconv: %v", text, finite, err)
	}
	if finite && math.Float64bits(got) != math.Float64bits(want+0) {
		t.Errorf("%q: %x, want %x", text, got, want)
	}
}

func TestNumbersAreThoseOfStrconv(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "-0.0", "0.1", "0.3", "9007199254740992", "9007199254740993", "9007199254740993.0",
		"-9007199254740992", "900719925474099.3", "123456789012345678", "1234567890123456789", "0.000000000000000001",
		"1.7976931348623157e308", "1.7976931348623159e308", "5e-324", "2e-324", "1e400", "-1e400", "1e-400",
		"2.2250738585072011e-308", "0.0000000000000000000000000000000000000000000001", "1E5", "1e+5", "1e-5",
		"", "-", "+1", "01", "1.", ".1", "1e", "1e+", "1x", "0x1p-2", "inf", "nan", "1_000", " 1",
	} {
		checkNumber(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkNumber(t, rapid.StringMatching(`-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,19})?([eE][-+]?[0-9]{1,3})?`).Draw(t, "number"))
		f := rapid.Float64().Draw(t, "float")
		checkNumber(t, strconv.FormatFloat(f, 'g', -1, 64))
		checkNumber(t, strconv.FormatFloat(f, 'f', 3, 64))
	})
}

func FuzzNumber(f *testing.F) {
	f.Add("-12.5e-3")
	f.Add("9007199254740993")
	f.Fuzz(func(t *testing.T, text string) { checkNumber(t, text) })
}

func FuzzTime(f *testing.F) {
	for value := range strings.SplitSeq(badTimes, "\n") {
		f.Add(strings.TrimSuffix(strings.TrimPrefix(value, `{"ts":"`), `","value":1}`))
	}
	f.Add("2026-11-23T10:28:00.123456+05:30")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		want, wantOK := referenceTime(raw)
		got, ok := parseTime([]byte(text))
		if ok != wantOK || ok && got != want {
			t.Errorf("%q: %d %v, want %d %v", text, got, ok, want, wantOK)
		}
	})
}
