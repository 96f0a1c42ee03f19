package encoding

import "math"

func (d *JSON) readStream() bool {
	start := d.pos
	switch d.peek() {
	case '"':
		s, ok := d.string()
		if ok {
			d.found.stream = d.text(s)
		}
		return ok
	case 'n':
		return d.literal("null")
	}
	if !d.skip() {
		return false
	}
	d.reject(ReasonBadStream, "stream %v is no string", quoted(d.data[start:d.pos]))
	return true
}

func (d *JSON) readTime() bool {
	start, ok, isTime := d.pos, false, false
	switch c := d.peek(); {
	case c == 'n':
		return d.literal("null")
	case c == '"':
		var s jsonString
		if s, ok = d.string(); ok {
			d.found.time, isTime = parseTime(d.text(s))
		}
	case c == '-' || '0' <= c && c <= '9':
		var num []byte
		if num, ok = d.number(); ok {
			d.found.time, isTime = parseMillis(num)
		}
	default:
		ok = d.skip()
	}
	if ok && !isTime {
		d.reject(ReasonBadTime, "time %v is neither RFC 3339 nor whole Unix milliseconds of the years 1 to 9999",
			quoted(d.data[start:d.pos]))
	}
	d.found.hasTime = true
	return ok
}

// presence says what readNumber found.
type presence uint8

const (
	missing presence = iota // null
	present
	faulty // and rejected
)

// readNumber reads a number or the string of one.
func (d *JSON) readNumber(name []byte) (v float64, kind presence, ok bool) {
	start := d.pos
	var num []byte
	switch c := d.peek(); {
	case c == 'n':
		return 0, missing, d.literal("null")
	case c == '-' || '0' <= c && c <= '9':
		num, ok = d.number()
	case c == '"':
		var s jsonString
		if s, ok = d.string(); ok {
			num = d.text(s)
		}
		if numberLen(num) != len(num) {
			num = nil
		}
	default:
		ok = d.skip()
	}
	if !ok {
		return 0, faulty, false
	}
	if len(num) == 0 {
		d.reject(ReasonBadValue, "value of %v is %v, not a number", quoted(name), quoted(d.data[start:d.pos]))
		return 0, faulty, true
	}
	v, finite := parseNumber(num)
	if !finite {
		d.reject(ReasonBadValue, "value of %v is %v, beyond a float64", quoted(name), quoted(num))
		return 0, faulty, true
	}
	return v, present, true
}

func (d *JSON) readValues() bool {
	start := d.pos
	switch d.peek() {
	case 'n':
		return d.literal("null")
	case '{':
		d.found.values = true
		return d.readFields()
	}
	if !d.skip() {
		return false
	}
	d.reject(ReasonBadValue, "member %q is %v, not an object", d.names.Values, quoted(d.data[start:d.pos]))
	return true
}

// readFields appends the fields of an event. A field that is null is NaN until
// complete takes it out, as its name may not come again.
func (d *JSON) readFields() bool {
	more, ok := d.open('}')
	for more {
		member, isMember := d.member()
		if !isMember {
			return false
		}
		name := d.text(member)
		v, kind, isValue := d.readNumber(name)
		if !isValue {
			return false
		}
		if kind == missing {
			v = math.NaN()
		}
		d.addField(name, v)
		if more, ok = d.next('}'); !ok {
			return false
		}
	}
	return ok
}

func (d *JSON) addField(name []byte, v float64) {
	switch {
	case len(name) == 0:
		d.reject(ReasonBadValue, "a field's name is empty")
	case len(name) > MaxFieldNameBytes:
		d.reject(ReasonTooLarge, "field name %v has more than %d bytes", quoted(name), MaxFieldNameBytes)
	case len(d.batch.current()) == MaxFields:
		d.reject(ReasonTooLarge, "more than %d fields", MaxFields)
	default:
		d.batch.field(name, v)
	}
}
