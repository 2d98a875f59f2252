package strictjson

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Member is one name and value of an object; Value is its JSON text and part of the document's memory.
type Member struct {
	Name  string
	Value json.RawMessage

	text string // Value once more, so that plain strings need no copies of their own; "" when the member was made by hand
}

// Object checks data as Check does, demands an object and gives its members in their order. Names are exact: nothing is folded.
func Object(data []byte, l Limits) ([]Member, error) {
	l = l.filled()
	if len(data) > l.Bytes {
		return nil, errTooLarge
	}
	s := scanner{data: data, depth: l.Depth, source: string(data)}
	s.space()
	if s.peek() != '{' {
		return nil, s.fail("is not an object")
	}
	members := make([]Member, 0, 4+len(data)/24) // a claim takes some 30 bytes: one allocation for nearly all
	s.members = &members
	if err := s.document(nil); err != nil {
		return nil, err
	}
	return members, nil
}

// Text gives the value when it is a string.
func (m Member) Text() (string, bool) {
	if len(m.Value) < 2 || m.Value[0] != '"' {
		return "", false
	}
	if inner := m.Value[1 : len(m.Value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		if m.text != "" {
			return m.text[1 : len(m.text)-1], true
		}
		return string(inner), true
	}
	var s string
	return s, json.Unmarshal(m.Value, &s) == nil
}

// Texts gives the value when it is an array of strings.
func (m Member) Texts() ([]string, bool) {
	if len(m.Value) == 0 || m.Value[0] != '[' {
		return nil, false
	}
	s := scanner{data: m.Value, pos: 1} // the text is known to be valid
	out := make([]string, 0, 1+bytes.Count(m.Value, []byte{','}))
	for s.space(); s.peek() != ']'; s.space() {
		if s.peek() == ',' {
			s.pos++
			continue
		}
		if s.peek() != '"' {
			return nil, false // null inside an array would else decode as ""
		}
		from := s.pos + 1
		text, err := s.text()
		if err != nil {
			return nil, false
		}
		if m.text != "" && m.text[from:s.pos-1] == string(text) { // no escapes: no copy
			out = append(out, m.text[from:s.pos-1])
		} else {
			out = append(out, string(text))
		}
	}
	return out, true
}

// Int gives the value when it is a whole number written without fraction or exponent.
func (m Member) Int() (int64, bool) {
	n, err := strconv.ParseInt(string(m.Value), 10, 64)
	return n, err == nil
}

// Bool gives the value when it is true or false.
func (m Member) Bool() (value, ok bool) {
	switch string(m.Value) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

var errTooLarge = fault.New(fault.TooLarge, fault.ReasonTooLarge, "the JSON document is too large")
