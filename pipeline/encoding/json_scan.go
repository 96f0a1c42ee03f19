package encoding

import (
	"strconv"
	"unicode/utf8"
)

// maxJSONDepth is how deep arrays and objects may be nested; the record itself
// is the first level.
const maxJSONDepth = 32

// A jsonScanner walks once over a JSON text (RFC 8259) and checks every byte of
// it. Its methods start at pos, end behind what they read, and return false at
// the first fault, which err then describes.
type jsonScanner struct {
	data  []byte
	pos   int
	depth int // of the arrays and objects around pos
	err   *Fault
}

func (s *jsonScanner) syntax(msg string) bool {
	near := s.data[min(s.pos, len(s.data)):]
	if len(near) > 16 {
		near = near[:16]
	}
	detail := msg + " at byte " + strconv.Itoa(s.pos)
	if len(near) > 0 {
		detail += ", near " + quoted(near).String()
	}
	s.err = &Fault{WholeRecord, ReasonNotJSON, detail}
	return false
}

// peek returns the next byte, or 0, which starts no JSON token, at the end.
func (s *jsonScanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *jsonScanner) literal(word string) bool {
	end := s.pos + len(word)
	if end > len(s.data) || string(s.data[s.pos:end]) != word {
		return s.syntax("unexpected text")
	}
	s.pos = end
	return true
}

// A jsonString is the text between a string's quotation marks.
type jsonString struct {
	raw     []byte
	escaped bool // raw holds backslash escapes
}

// string reads a string and checks its escapes and its UTF-8.
func (s *jsonScanner) string() (str jsonString, ok bool) {
	s.pos++
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			str.raw = s.data[start:s.pos]
			s.pos++
			return str, true
		case c == '\\':
			str.escaped = true
			if !s.escape() {
				return str, false
			}
		case c < ' ':
			return str, s.syntax("control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, size := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && size == 1 {
				return str, s.syntax("invalid UTF-8")
			}
			s.pos += size
		}
	}
	return str, s.syntax("string without an end")
}

// escape reads one escape. A surrogate must come as a pair: half a pair is no
// character, so it has no UTF-8 form a stream's name could be stored in.
func (s *jsonScanner) escape() bool {
	if s.pos+1 >= len(s.data) {
		return s.syntax("string without an end")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return true
	case 'u':
	default:
		return s.syntax("unknown escape")
	}
	r := hex4(s.data, s.pos)
	switch {
	case r < 0:
		return s.syntax("bad \\u escape")
	case r < 0xD800 || r > 0xDFFF:
		s.pos += 6
		return true
	case r >= 0xDC00:
		return s.syntax("lone surrogate")
	}
	if low := hex4(s.data, s.pos+6); low < 0xDC00 || low > 0xDFFF {
		return s.syntax("lone surrogate")
	}
	s.pos += 12
	return true
}

// hex4 returns the code unit of the escape \uXXXX at b[i:], or -1 if there is none.
func hex4(b []byte, i int) rune {
	if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[i+2 : i+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends the text of a string that the scanner accepted. It is
// never longer than raw.
func appendUnescaped(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if raw[i+1] != 'u' {
			dst = append(dst, unescapedByte(raw[i+1]))
			i += 2
			continue
		}
		r := hex4(raw, i)
		i += 6
		if 0xD800 <= r && r <= 0xDBFF {
			r = 0x10000 + (r-0xD800)<<10 + (hex4(raw, i) - 0xDC00)
			i += 6
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

func unescapedByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func (s *jsonScanner) number() (num []byte, ok bool) {
	n := numberLen(s.data[s.pos:])
	if n == 0 {
		return nil, s.syntax("malformed number")
	}
	num = s.data[s.pos : s.pos+n]
	s.pos += n
	return num, true
}

// member reads a member's name and its colon, up to the start of its value.
func (s *jsonScanner) member() (name jsonString, ok bool) {
	if s.peek() != '"' {
		return name, s.syntax("expected a member's name")
	}
	if name, ok = s.string(); !ok {
		return name, false
	}
	s.space()
	if s.peek() != ':' {
		return name, s.syntax("expected a colon")
	}
	s.pos++
	s.space()
	return name, true
}

// open enters the object or array at pos and says whether it has a first element.
func (s *jsonScanner) open(closing byte) (more, ok bool) {
	if s.depth++; s.depth > maxJSONDepth {
		s.err = &Fault{WholeRecord, ReasonTooLarge, "nested deeper than " + strconv.Itoa(maxJSONDepth) + " levels"}
		return false, false
	}
	s.pos++
	s.space()
	if s.peek() == closing {
		s.close()
		return false, true
	}
	return true, true
}

func (s *jsonScanner) close() {
	s.pos++
	s.depth--
}

// next goes from the end of an element to the start of the next one, or over
// the closing bracket.
func (s *jsonScanner) next(closing byte) (more, ok bool) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		return true, true
	case closing:
		s.close()
		return false, true
	}
	return false, s.syntax("expected a comma or " + strconv.QuoteRune(rune(closing)))
}

// skip reads any value.
func (s *jsonScanner) skip() (ok bool) {
	switch s.peek() {
	case '"':
		_, ok = s.string()
		return ok
	case '{':
		return s.skipAll('}')
	case '[':
		return s.skipAll(']')
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		_, ok = s.number()
		return ok
	}
	return s.syntax("expected a value")
}

func (s *jsonScanner) skipAll(closing byte) bool {
	more, ok := s.open(closing)
	for more && ok {
		if closing == '}' {
			if _, ok = s.member(); !ok {
				return false
			}
		}
		if !s.skip() {
			return false
		}
		more, ok = s.next(closing)
	}
	return ok
}
