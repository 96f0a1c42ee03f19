package encoding

import (
	"math"
	"strconv"
)

// numberLen returns the length of the longest JSON number (RFC 8259, section 6)
// that b starts with; 0 if there is none or if it breaks off inside of one.
func numberLen(b []byte) int {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	i = digits(b, i)
	if i == first || (b[first] == '0' && i > first+1) {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		end := digits(b, i+1)
		if end == i+1 {
			return 0
		}
		i = end
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := digits(b, i)
		if end == i {
			return 0
		}
		i = end
	}
	return i
}

// digits returns where the decimal digits from b[i] on end.
func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// pow10 holds powers of ten, all of which a float64 holds exactly.
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// parseNumber returns the float64 nearest to a JSON number, as strconv.ParseFloat
// does, with -0 made 0; finite is false where it overflows.
//
// An integer of at most 2^53 over a power of ten of at most 10^22 is one division
// of two exact float64, which IEEE 754 rounds correctly (Clinger, "How to read
// floating point numbers accurately", 1990). Everything else is strconv's.
func parseNumber(num []byte) (f float64, finite bool) {
	const maxDigits = 18 // these never overflow an int64
	digits, fraction, point := 0, 0, false
	mantissa := int64(0)
	for _, c := range num {
		switch {
		case '0' <= c && c <= '9':
			mantissa = mantissa*10 + int64(c-'0')
			digits++
			if point {
				fraction++
			}
		case c == '.':
			point = true
		case c == '-':
		default:
			return parseSlow(num)
		}
		if digits > maxDigits {
			return parseSlow(num)
		}
	}
	if mantissa > 1<<53 {
		return parseSlow(num)
	}
	f = float64(mantissa) / pow10[fraction]
	if num[0] == '-' && mantissa != 0 {
		f = -f
	}
	return f, true
}

func parseSlow(num []byte) (f float64, finite bool) {
	f, err := strconv.ParseFloat(string(num), 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, false
	}
	if f == 0 {
		return 0, true // not -0
	}
	return f, true
}
