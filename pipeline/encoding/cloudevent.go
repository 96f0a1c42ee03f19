package encoding

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"time"
	"unicode/utf8"
)

const contentType = "content-type"

// UnwrapCloudEvent returns the record that a CloudEvent (version 1.0) carries, in either
// mode of its Kafka binding, and any other record as it is.
//
// In binary mode the attributes are headers (ce_id, …) and the value is the data. In
// structured mode the value is JSON with the data in it (content-type
// application/cloudevents+json): it becomes the Value, and the event's datacontenttype
// the record's content-type. Data that is JSON stays as it is written; data in a string
// is the string's text, unless its type is JSON; data_base64 is decoded. An event's time
// replaces the record's.
//
// A fault is of the whole record, and leaves it without meaning.
func UnwrapCloudEvent(r Record) (Record, *Fault) {
	typ, isEvent := header(r.Headers, contentType)
	media, _, err := mime.ParseMediaType(string(typ))
	if err == nil && isEvent && strings.HasPrefix(media, "application/cloudevents") {
		if media != "application/cloudevents+json" {
			return r, eventFault(ReasonMalformed, "events as %v are not read, only application/cloudevents+json", quoted(typ))
		}
		return unwrapStructured(r)
	}
	if _, isEvent = header(r.Headers, "ce_specversion"); !isEvent {
		return r, nil
	}
	if len(r.Value) > MaxValueBytes {
		return r, eventFault(ReasonTooLarge, "the record's value has more than %d bytes", MaxValueBytes)
	}
	return stamped(r, func(name string) (string, bool) {
		value, ok := header(r.Headers, "ce_"+name)
		return string(value), ok
	})
}

// header returns the first header of a name.
func header(headers []Header, key string) (value []byte, ok bool) {
	for _, h := range headers {
		if h.Key == key {
			return h.Value, true
		}
	}
	return nil, false
}

func eventFault(reason, format string, args ...any) *Fault {
	return &Fault{WholeRecord, reason, "cloud event: " + fmt.Sprintf(format, args...)}
}

// stamped checks an event's attributes and gives the record its time.
func stamped(r Record, attribute func(name string) (string, bool)) (Record, *Fault) {
	if version, _ := attribute("specversion"); version != "1.0" {
		return r, eventFault(ReasonMalformed, "specversion %v is not 1.0", quoted(version))
	}
	for _, name := range []string{"id", "source", "type"} {
		if value, _ := attribute(name); value == "" {
			return r, eventFault(ReasonMalformed, "attribute %s is missing", name)
		}
	}
	text, ok := attribute("time")
	if !ok {
		return r, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.UnixMilli() < minTime || at.UnixMilli() > maxTime {
		return r, eventFault(ReasonBadTime, "time %v is not RFC 3339", quoted(text))
	}
	r.Time = at.UnixMilli()
	return r, nil
}

func unwrapStructured(r Record) (Record, *Fault) {
	if r.Value == nil {
		return r, eventFault(ReasonTombstone, "the record has no value")
	}
	if len(r.Value) > MaxValueBytes {
		return r, eventFault(ReasonTooLarge, "the record's value has more than %d bytes", MaxValueBytes)
	}
	if !utf8.Valid(r.Value) {
		return r, eventFault(ReasonNotJSON, "the record is no UTF-8")
	}
	// A map, because a struct's names would match in any case of letters.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.Value, &members); err != nil {
		return r, eventFault(ReasonNotJSON, "%s", plain(err))
	}
	attribute := textMember(members)
	r, fault := stamped(r, attribute)
	if fault != nil {
		return r, fault
	}
	typ, ok := attribute("datacontenttype")
	if !ok {
		typ = "application/json"
	}
	value, fault := eventData(members, typ)
	if fault != nil {
		return r, fault
	}
	r.Value = value
	headers := []Header{{contentType, []byte(typ)}}
	for _, h := range r.Headers {
		if h.Key != contentType {
			headers = append(headers, h)
		}
	}
	r.Headers = headers
	return r, nil
}

// textMember returns a function that reads a member that is a string; null is none.
func textMember(members map[string]json.RawMessage) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		var value *string
		if json.Unmarshal(members[name], &value) != nil || value == nil {
			return "", false
		}
		return *value, true
	}
}

// eventData returns the data of an event in structured mode; none is no bytes.
func eventData(members map[string]json.RawMessage, typ string) ([]byte, *Fault) {
	data, hasData := members["data"]
	encoded, hasBase64 := textMember(members)("data_base64")
	switch {
	case hasData && hasBase64:
		return nil, eventFault(ReasonMalformed, "it has both data and data_base64")
	case hasBase64:
		plain, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, eventFault(ReasonMalformed, "data_base64 is no base64")
		}
		return plain, nil
	case !hasData || string(data) == "null":
		return []byte{}, nil
	}
	if text, ok := textMember(members)("data"); ok && !isJSON(typ) {
		return []byte(text), nil
	}
	return data, nil
}

// isJSON reports whether a media type's data is JSON.
func isJSON(typ string) bool {
	media, _, err := mime.ParseMediaType(typ)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}
