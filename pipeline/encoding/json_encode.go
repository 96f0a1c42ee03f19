package encoding

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/weirstream/weir/operator"
)

// AppendID appends topic-partition-offset, the identity of the event that an output was
// computed from; behind it -index where the record holds many.
func AppendID(dst []byte, topic string, partition int, ev *operator.Event) []byte {
	dst = append(dst, topic...)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, int64(partition), 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, ev.Offset, 10)
	if ev.Index == operator.WholeRecord {
		return dst
	}
	dst = append(dst, '-')
	return strconv.AppendInt(dst, int64(ev.Index), 10)
}

// AppendJSON appends a prediction as one JSON object on one line, without a line
// end: the output format json.
//
//	{"id":"events-3-918273","stream":"web-7/cpu","ts":"2026-11-23T10:28:00.000Z","value":0.93,
//	 "yhat":0.41,"yhat_lower":0.28,"yhat_upper":0.55,"p_value":1.4e-6,"anomaly_score":2.71,"is_anomaly":true,
//	 "state":"ready","n":18231,"gap_s":60,"model":"telemetry-s@ab12cd34"}
//
// An event with named fields has "values" in place of "value", an object by field
// name; its yhat, yhat_lower and yhat_upper are such objects too, and
// "attribution", one more, stands behind is_anomaly.
//
// The members, their order and every digit depend on the arguments alone, so the
// same event gives the same bytes. p_value has at most four significant digits
// and is never 0; other numbers are the shortest that read back as the same
// float64. What is not finite, which no Prediction holds, would be null.
func AppendJSON(dst []byte, p *operator.Prediction, id []byte, model string) []byte {
	dst = appendString(append(dst, `{"id":`...), id)
	dst = appendString(append(dst, `,"stream":`...), p.Stream)
	dst = append(dst, `,"ts":"`...)
	dst = appendTime(dst, p.Time)
	if len(p.Fields) == 1 && len(p.Fields[0].Name) == 0 {
		dst = appendPlain(append(dst, '"'), p)
	} else {
		dst = appendNamed(append(dst, '"'), p)
	}
	dst = append(dst, `,"p_value":`...)
	dst = appendPValue(dst, p.PValue)
	dst = appendFloat(append(dst, `,"anomaly_score":`...), p.AnomalyScore)
	dst = append(dst, `,"is_anomaly":`...)
	dst = strconv.AppendBool(dst, p.IsAnomaly)
	if len(p.Attribution) > 0 {
		dst = append(dst, `,"attribution":`...)
		dst = appendByField(dst, p, func(i int) float64 { return p.Attribution[i] })
	}
	dst = append(dst, `,"state":"`...)
	dst = append(dst, p.Phase.String()...)
	dst = append(dst, `","n":`...)
	dst = strconv.AppendInt(dst, p.N, 10)
	dst = appendFloat(append(dst, `,"gap_s":`...), p.GapSeconds)
	dst = appendString(append(dst, `,"model":`...), model)
	return append(dst, '}')
}

func appendPlain(dst []byte, p *operator.Prediction) []byte {
	f := p.Forecasts[0]
	dst = appendFloat(append(dst, `,"value":`...), p.Fields[0].Value)
	dst = appendFloat(append(dst, `,"yhat":`...), f.YHat)
	dst = appendFloat(append(dst, `,"yhat_lower":`...), f.Lower)
	return appendFloat(append(dst, `,"yhat_upper":`...), f.Upper)
}

func appendNamed(dst []byte, p *operator.Prediction) []byte {
	dst = append(dst, `,"values":`...)
	dst = appendByField(dst, p, func(i int) float64 { return p.Fields[i].Value })
	dst = append(dst, `,"yhat":`...)
	dst = appendByField(dst, p, func(i int) float64 { return p.Forecasts[i].YHat })
	dst = append(dst, `,"yhat_lower":`...)
	dst = appendByField(dst, p, func(i int) float64 { return p.Forecasts[i].Lower })
	dst = append(dst, `,"yhat_upper":`...)
	return appendByField(dst, p, func(i int) float64 { return p.Forecasts[i].Upper })
}

// appendByField appends an object with one number for each field.
func appendByField(dst []byte, p *operator.Prediction, number func(field int) float64) []byte {
	dst = append(dst, '{')
	for i := range p.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, p.Fields[i].Name)
		dst = appendFloat(append(dst, ':'), number(i))
	}
	return append(dst, '}')
}

// appendFloat appends the shortest decimal that reads back as f, with an exponent
// where encoding/json has one. There is no -0.
func appendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	switch {
	case abs == 0:
		return append(dst, '0')
	case !(abs <= math.MaxFloat64):
		return append(dst, "null"...)
	case abs < 1e-6 || abs >= 1e21:
		return shortExponent(strconv.AppendFloat(dst, f, 'e', -1, 64))
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendPValue appends a probability with at most four significant digits. One
// too small for a float64 is the smallest there is: a p-value of 0 would claim
// certainty, and break every sum of logarithms made of it.
func appendPValue(dst []byte, p float64) []byte {
	if math.IsNaN(p) {
		return append(dst, "null"...)
	}
	p = min(max(p, math.SmallestNonzeroFloat64), 1)
	return shortExponent(strconv.AppendFloat(dst, p, 'g', 4, 64))
}

// shortExponent makes e-7 of an e-07 at dst's end, as encoding/json does.
func shortExponent(dst []byte) []byte {
	n := len(dst)
	if n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		return dst[:n-1]
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string, whatever bytes s holds: invalid UTF-8
// becomes U+FFFD.
func appendString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	done := 0 // s[:done] is appended
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			dst = append(dst, s[done:i-1]...)
			dst = appendEscape(dst, c)
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[done:i]...)
			dst = append(dst, "\uFFFD"...)
			done = i + 1
		}
		i += size
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	dst = append(dst, `\u00`...)
	return append(dst, hexDigits[c>>4], hexDigits[c&15])
}
