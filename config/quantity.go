package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

var (
	durationForm = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+$`)
	durationPart = regexp.MustCompile(`([0-9.]+)([a-zµ]+)`)
)

// parseDuration reads Go's duration syntax without a sign, plus d (24 h) and w (7 d).
func parseDuration(s string) (time.Duration, error) {
	if !durationForm.MatchString(s) {
		return 0, fmt.Errorf("%q is no duration; write a number and a unit, such as 500ms, 30s, 5m, 12h or 7d", s)
	}
	var sum time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		unit, times := part[2], time.Duration(1)
		switch unit {
		case "d":
			unit, times = "h", 24
		case "w":
			unit, times = "h", 7*24
		}
		d, err := time.ParseDuration(part[1] + unit)
		if err != nil || d > (math.MaxInt64-sum)/times {
			return 0, fmt.Errorf("duration %q is too long", s)
		}
		sum += d * times
	}
	return sum, nil
}

// formatDuration writes d as parseDuration reads it, whole days as days.
func formatDuration(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ByteSize is a number of bytes, written as a plain number or with KiB, MiB or GiB.
type ByteSize int64

var byteUnits = []struct {
	name string
	size ByteSize
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// UnmarshalText reads "1048576", "512B", "64KiB", "1MiB" or "2GiB".
func (b *ByteSize) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BGKMi")
	unit := strings.TrimSpace(string(text)[len(digits):])
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
	for _, u := range byteUnits {
		if err != nil || u.name != unit {
			continue
		}
		if n > uint64(math.MaxInt64/u.size) {
			return fmt.Errorf("size %q is too large", text)
		}
		*b = ByteSize(n) * u.size // fits: read as 63 bits
		return nil
	}
	return fmt.Errorf("%q is no size; write bytes, or a number with KiB, MiB or GiB, such as 64KiB", text)
}

// MarshalText writes String.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns b in the largest unit that divides it.
func (b ByteSize) String() string {
	for _, u := range byteUnits {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return "0B"
}

// Budget is a rate of false alarms for one stream: at most Alarms in every Per. It is
// written "1/7d".
type Budget struct {
	Alarms int
	Per    time.Duration
}

// PerSecond returns the budget in alarms a second.
func (b Budget) PerSecond() float64 { return float64(b.Alarms) / b.Per.Seconds() }

// UnmarshalText reads "N/DURATION"; a duration of one unit may leave out its 1, as in "3/w".
func (b *Budget) UnmarshalText(text []byte) error {
	errForm := errors.New("write alarms per time for one stream, such as 1/7d or 3/24h")
	count, per, ok := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if !ok || err != nil {
		return fmt.Errorf("%q is no budget; %w", text, errForm)
	}
	per = strings.TrimSpace(per)
	if per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per
	}
	d, err := parseDuration(per)
	if err != nil {
		return fmt.Errorf("%q is no budget; %w", text, errForm)
	}
	if n < 1 || d <= 0 {
		return fmt.Errorf("budget %q allows nothing; %w", text, errForm)
	}
	*b = Budget{Alarms: n, Per: d}
	return nil
}

// MarshalText writes String.
func (b Budget) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns b as UnmarshalText reads it.
func (b Budget) String() string {
	return strconv.Itoa(b.Alarms) + "/" + formatDuration(b.Per)
}
