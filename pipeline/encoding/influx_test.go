package encoding

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
)

// told is a point as text, for tables of tests.
type told struct {
	Index  int
	Stream string
	Time   int64
	Fields map[string]float64
}

func tell(points []operator.Event) []told {
	var all []told
	for _, p := range points {
		fields := map[string]float64{}
		for _, f := range p.Fields {
			fields[string(f.Name)] = f.Value
		}
		all = append(all, told{p.Index, string(p.Stream), p.Time, fields})
	}
	return all
}

// reasons are the faults' points and reasons.
func reasons(faults []Fault) map[int]string {
	all := map[int]string{}
	for _, f := range faults {
		all[f.Point] = f.Reason
	}
	return all
}

type values = map[string]float64

func newInflux(t testing.TB, precision time.Duration) *Influx {
	t.Helper()
	d, err := NewInflux(precision)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInfluxReadsThePointsOfItsDocumentation(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []told
	}{
		{
			"all kinds of fields", `m,b=2,a=1 f=1,i=-2i,u=3u,t=T,no=false,s="x,y z=1",e=-1.5e-3 1556813561098765432` + "\n",
			[]told{{0, "m,a=1,b=2", 1556813561098, values{"f": 1, "i": -2, "u": 3, "t": 1, "no": 0, "e": -1.5e-3}}},
		},
		{"no time", "m v=1", []told{{0, "m", 77, values{"v": 1}}}},
		{"before 1970", "m v=1 -1", []told{{0, "m", -1, values{"v": 1}}}},
		{"measurement with = and escapes", `my\ me\,as=u\rement v=1 0`, []told{{0, `my me\,as\=u\\rement`, 0, values{"v": 1}}}},
		{"escaped tags", `m,tag\ Key1=tag\,Value\=1,t2=\a v=1 0`, []told{{0, `m,t2=\\a,tag Key1=tag\,Value\=1`, 0, values{"v": 1}}}},
		{"escaped field", `m fi\=e\ l\,d=1 0`, []told{{0, "m", 0, values{"fi=e l,d": 1}}}},
		{"quotation marks in a tag are part of it", `m,t="a" v=1 0`, []told{{0, `m,t="a"`, 0, values{"v": 1}}}},
		{"string with escapes and a line break", `m s="a\"b\\` + "\n" + `c",v=2 0`, []told{{0, "m", 0, values{"v": 2}}}},
		{"emoji", `su😀n,🙂=🍀 🌡=1 0`, []told{{0, "su😀n,🙂=🍀", 0, values{"🌡": 1}}}},
		{
			"comments, empty lines, carriage returns", "# a b=1\r\n\r\n \n a v=1 2000000\r\n#x\nb v=2 3000000\r\n",
			[]told{{0, "a", 2, values{"v": 1}}, {1, "b", 3, values{"v": 2}}},
		},
		{"many spaces", "m  v=1   5000000  \n", []told{{0, "m", 5, values{"v": 1}}}},
		{"negative zero is zero", "m v=-0 0", []told{{0, "m", 0, values{"v": 0}}}},
	} {
		got, faults := newInflux(t, time.Nanosecond).Decode(nil, Record{Value: []byte(c.in), Time: 77})
		if diff := cmp.Diff(c.want, tell(got)); diff != "" || len(faults) > 0 {
			t.Errorf("%s: %s%v", c.name, diff, faults)
		}
	}
}

func TestInfluxBadLinesLeaveTheOthers(t *testing.T) {
	for line, reason := range map[string]string{
		`,t=1 v=1 0`:                ReasonNoStream,
		`m`:                         ReasonMalformed,
		`m `:                        ReasonMalformed,
		`m,t v=1 0`:                 ReasonMalformed,
		`m,t= v=1 0`:                ReasonMalformed,
		`m,=1 v=1 0`:                ReasonMalformed,
		`m,a=1=2 v=1 0`:             ReasonMalformed,
		`m,a=1,a=2 v=1 0`:           ReasonDuplicateKey,
		`m v=1,v=2 0`:               ReasonDuplicateKey,
		`m v 0`:                     ReasonMalformed,
		`m v= 0`:                    ReasonBadValue,
		`m v=NaN 0`:                 ReasonBadValue,
		`m v=inf 0`:                 ReasonBadValue,
		`m v=0x1p3 0`:               ReasonBadValue,
		`m v=1e999 0`:               ReasonBadValue,
		`m v=9223372036854775808i`:  ReasonBadValue,
		`m v=-1u 0`:                 ReasonBadValue,
		`m v=tRUE 0`:                ReasonBadValue,
		`m v=1, 0`:                  ReasonMalformed,
		`m v=1 9999999999999999999`: ReasonBadTime,
		`m v=1 1-2`:                 ReasonBadTime,
		`m v=1 0 x`:                 ReasonMalformed,
		`m v="x 0`:                  ReasonMalformed,
		`m s="x" 0`:                 ReasonNoValue,
		`m v="x"1 0`:                ReasonMalformed,
		"m\xff v=1 0":               ReasonBadStream,
		"m \xff=1 0":                ReasonBadValue,
	} {
		in := "a v=1 0\n" + line + "\nb v=2 0\n"
		got, faults := newInflux(t, time.Nanosecond).Decode(nil, Record{Value: []byte(in), Time: 0})
		want := []told{{0, "a", 0, values{"v": 1}}, {2, "b", 0, values{"v": 2}}}
		if diff := cmp.Diff(want, tell(got)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
		if diff := cmp.Diff(map[int]string{1: reason}, reasons(faults)); diff != "" {
			t.Errorf("%s: %s%v", line, diff, faults)
		}
	}
}

func TestInfluxPrecisions(t *testing.T) {
	for precision, in := range map[time.Duration]string{
		time.Nanosecond: "1500999999", time.Microsecond: "1500999", time.Millisecond: "1500", time.Second: "1",
	} {
		want := int64(1500)
		if precision == time.Second {
			want = 1000
		}
		got, faults := newInflux(t, precision).Decode(nil, Record{Value: []byte("m v=1 " + in)})
		if len(got) != 1 || got[0].Time != want {
			t.Errorf("%v: %+v %v", precision, got, faults)
		}
	}
	_, faults := newInflux(t, time.Second).Decode(nil, Record{Value: []byte("m v=1 9223372036854775807")})
	if diff := cmp.Diff(map[int]string{0: ReasonBadTime}, reasons(faults)); diff != "" {
		t.Error(diff)
	}
	if _, err := NewInflux(time.Minute); err == nil {
		t.Error("a minute was taken for a precision")
	}
}
