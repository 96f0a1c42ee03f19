package encoding

import (
	"math"
	"time"
)

// The first and the last millisecond of the years 1 to 9999, which RFC 3339 can
// write, in Unix milliseconds.
const (
	minTime = -62135596800000
	maxTime = 253402300799999
)

// parseTime reads RFC 3339, or Unix milliseconds in digits alone.
func parseTime(b []byte) (ms int64, ok bool) {
	if len(b) > 0 && digits(b, 0) == len(b) && numberLen(b) == len(b) {
		return parseMillis(b)
	}
	return parseRFC3339(b)
}

// parseMillis reads Unix milliseconds. The float64 of a JSON number is exact
// here, as the year 9999 lies far below 2^53 milliseconds.
func parseMillis(num []byte) (ms int64, ok bool) {
	f, finite := parseNumber(num)
	if !finite || f != math.Trunc(f) || f < minTime || f > maxTime {
		return 0, false
	}
	return int64(f), true
}

// parseRFC3339 returns the Unix milliseconds of a time such as
// 2026-11-23T10:28:00.25+01:00 (RFC 3339, section 5.6). Finer fractions are cut
// off towards the past. A leap second (:60) is refused, as Unix time has none.
func parseRFC3339(b []byte) (ms int64, ok bool) {
	const shape = "0000-00-00T00:00:00"
	if len(b) <= len(shape) || !matches(b[:len(shape)], shape) {
		return 0, false
	}
	year, month, day := decimal(b[0:4]), decimal(b[5:7]), decimal(b[8:10])
	hour, minute, second := decimal(b[11:13]), decimal(b[14:16]), decimal(b[17:19])
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day { // time.Date makes March of February 30
		return 0, false
	}
	milli, rest, ok := parseFraction(b[len(shape):])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(rest)
	ms = t.UnixMilli() + milli - offset
	return ms, ok && minTime <= ms && ms <= maxTime
}

// parseFraction reads an optional fraction of a second in milliseconds and
// returns what follows it.
func parseFraction(b []byte) (milli int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	end := digits(b, 1)
	for i := 1; i <= 3; i++ {
		milli *= 10
		if i < end {
			milli += int64(b[i] - '0')
		}
	}
	return milli, b[end:], end > 1
}

// parseOffset reads Z or ±hh:mm, in milliseconds east of UTC.
func parseOffset(b []byte) (ms int64, ok bool) {
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	if len(b) == 0 || (b[0] != '+' && b[0] != '-') || !matches(b[1:], "00:00") {
		return 0, false
	}
	hour, minute := decimal(b[1:3]), decimal(b[4:6])
	ms = int64(hour*60+minute) * 60_000
	if b[0] == '-' {
		ms = -ms
	}
	return ms, hour < 24 && minute < 60
}

// matches reports whether b has the shape's length, a digit for each 0 of it
// and the same character (T in either case) for all others.
func matches(b []byte, shape string) bool {
	if len(b) != len(shape) {
		return false
	}
	for i, c := range b {
		switch want := shape[i]; {
		case want == '0' && '0' <= c && c <= '9':
		case want == c && want != '0':
		case want == 'T' && c == 't':
		default:
			return false
		}
	}
	return true
}

// decimal returns the number that a few decimal digits write.
func decimal(b []byte) int {
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// appendTime appends Unix milliseconds as RFC 3339 in UTC with three decimals.
func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}
