package encoding

import "strconv"

// fieldSet reads the fields of a line.
func (d *Influx) fieldSet() bool {
	for n := 1; ; n++ {
		if n > MaxFields {
			return d.fault(ReasonTooLarge, "the point has more than %d fields", MaxFields)
		}
		start := d.pos
		name := d.name("=, ")
		if d.peek() != '=' || len(name) == 0 {
			return d.broken("expected a field's name and =")
		}
		if len(name) < d.pos-start {
			name = d.keep(name)
		}
		d.pos++
		if !d.fieldValue(name) {
			return false
		}
		switch d.peek() {
		case ',':
			d.pos++
		case ' ', '\r', '\n':
			return true
		default:
			return d.broken("expected a comma, a space or the line's end behind a field")
		}
	}
}

// fieldValue reads a value, and adds it if it is a number.
func (d *Influx) fieldValue(name []byte) bool {
	if d.peek() == '"' {
		return d.skipString(name)
	}
	start := d.pos
	for c := d.peek(); c > ' ' && c != ','; c = d.peek() {
		d.pos++
	}
	text := d.data[start:d.pos]
	v, ok := influxNumber(text)
	if !ok {
		return d.fault(ReasonBadValue, "field %v is %v, not a number, a boolean or a string", quoted(name), quoted(text))
	}
	d.field(name, v)
	return true
}

// skipString skips a string. Without an end it would take the rest of the record with
// it; then only its line is bad.
func (d *Influx) skipString(name []byte) bool {
	for i := d.pos + 1; i < len(d.data); i++ {
		switch d.data[i] {
		case '\\':
			i++
		case '"':
			d.pos = i + 1
			return true
		}
	}
	return d.fault(ReasonMalformed, "the string of field %v at byte %d has no end", quoted(name), d.pos)
}

// influxNumber reads an integer, an unsigned integer, a float or a boolean. A float that
// overflows is infinite.
func influxNumber(text []byte) (v float64, ok bool) {
	switch string(text) {
	case "":
		return 0, false
	case "t", "T", "true", "True", "TRUE":
		return 1, true
	case "f", "F", "false", "False", "FALSE":
		return 0, true
	}
	last := len(text) - 1
	switch text[last] {
	case 'i':
		n, err := strconv.ParseInt(string(text[:last]), 10, 64)
		return float64(n), err == nil && text[0] != '+'
	case 'u':
		n, err := strconv.ParseUint(string(text[:last]), 10, 64)
		return float64(n), err == nil
	}
	for _, c := range text { // Not hexadecimal, infinite or NaN, which strconv reads too.
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil
}
