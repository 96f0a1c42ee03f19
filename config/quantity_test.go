package config

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDurationsTakeDaysAndWeeks(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "1h30m": 90 * time.Minute, "1d": day, "7d": week, "1w": week,
		"1w2d3h": 219 * time.Hour, "0.5d": 12 * time.Hour, "1.5h": 90 * time.Minute, "0s": 0, "10us": 10 * time.Microsecond,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "7", "-1s", "1 s", "1y", "d", "1.d", ".5s", "1e3s", "99999999w", "200000000d", "9223372036s9223372036s"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestSizesTakeBinaryUnits(t *testing.T) {
	for in, want := range map[string]ByteSize{"0": 0, "512": 512, "512B": 512, "64KiB": 64 << 10, "1 MiB": 1 << 20, "2GiB": 2 << 30} {
		var got ByteSize
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "KiB", "1KB", "1kib", "-1", "1.5MiB", "1iB", "99999999999GiB", "1B1"} {
		var got ByteSize
		if err := got.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestBudgetsAreAlarmsInATime(t *testing.T) {
	for in, want := range map[string]Budget{
		"1/7d": {1, week}, "3/24h": {3, day}, "2/w": {2, week}, "10/30m": {10, 30 * time.Minute}, "1 / 1w": {1, week},
	} {
		var got Budget
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "1", "/7d", "1/", "0/7d", "-1/7d", "1/0s", "1/7", "1.5/7d", "1/7d/2"} {
		var got Budget
		if err := got.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
	if got, want := (Budget{Alarms: 7, Per: week}).PerSecond(), 1.0/86400; math.Abs(got-want) > 1e-18 {
		t.Errorf("7/7d is %v alarms a second, want %v", got, want)
	}
}

func TestQuantitiesReadWhatTheyWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "d"))
		d -= d % rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Second, time.Minute, time.Hour, day, week}).Draw(t, "unit")
		if got, err := parseDuration(formatDuration(d)); err != nil || got != d {
			t.Errorf("duration %v is written %q and read %v, %v", d, formatDuration(d), got, err)
		}
		b := ByteSize(rapid.Int64Range(0, math.MaxInt64).Draw(t, "b"))
		b -= b % ByteSize(rapid.SampledFrom([]int64{1, 1 << 10, 1 << 20, 1 << 30}).Draw(t, "size"))
		var size ByteSize
		if err := size.UnmarshalText([]byte(b.String())); err != nil || size != b {
			t.Errorf("size %d is written %q and read %d, %v", b, b, size, err)
		}
		budget := Budget{Alarms: rapid.IntRange(1, math.MaxInt32).Draw(t, "alarms"), Per: max(d, 1)}
		var read Budget
		if err := read.UnmarshalText([]byte(budget.String())); err != nil || read != budget {
			t.Errorf("budget %v is read %v, %v", budget, read, err)
		}
	})
}

func TestDidYouMean(t *testing.T) {
	names := []string{"brokers", "group_id", "tls", "sasl"}
	for in, want := range map[string]string{"borkers": "brokers", "broker": "brokers", "groupId": "group_id", "tsl": "tls", "TLS": "tls", "password": "", "": ""} {
		if _, got := didYouMean(in, names); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b"), rapid.String().Draw(t, "c")
		if distance(a, a) != 0 || distance(a, b) != distance(b, a) || distance(a, c) > distance(a, b)+distance(b, c) {
			t.Errorf("not a metric: %q %q %q", a, b, c)
		}
	})
}
