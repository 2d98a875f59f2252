package strictjson

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// scanner walks a document once. Where the Go type is known it walks along, so that faults can be named by field.
type scanner struct {
	data  []byte
	pos   int
	depth int      // levels still allowed
	path  []string // names of our own fields and indexes on the way to pos

	members *[]Member // where the members of the outermost object go, or nil
	source  string    // data as text, for members
}

func (s *scanner) fail(problem string) *fault.Error {
	return invalid(fault.ReasonMalformed, strings.Join(s.path, "."), problem)
}

func (s *scanner) document(t reflect.Type) *fault.Error {
	s.space()
	if err := s.value(t); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.data) {
		return s.fail("there is something after its end")
	}
	return nil
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek gives the next byte, 0 at the end; a NUL in the document is no valid start of anything either.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) value(t reflect.Type) *fault.Error {
	switch c := s.peek(); {
	case c == '{':
		return s.nested(t, true)
	case c == '[':
		return s.nested(t, false)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	default:
		return s.literal()
	}
}

// nested bounds the depth: a document of a million brackets would else be a stack of a million frames.
func (s *scanner) nested(t reflect.Type, object bool) (err *fault.Error) {
	if s.depth == 0 {
		return s.fail("is nested too deeply")
	}
	s.depth--
	s.pos++
	s.space()
	if object {
		err = s.object(t)
	} else {
		err = s.array(t)
	}
	s.depth++
	return err
}

func (s *scanner) object(t reflect.Type) *fault.Error {
	fields, elem := shape(t)
	var seen keys
	out := s.members
	s.members = nil
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("a name in quotes is missing")
		}
		from := s.pos + 1
		key, err := s.text()
		if err != nil {
			return err
		}
		to := s.pos - 1
		name, inner, err := s.member(key, fields, elem)
		if err != nil {
			return err
		}
		s.path = append(s.path, name)
		if !seen.add(key) {
			return s.fail("stands twice")
		}
		if err := s.colon(); err != nil {
			return err
		}
		start := s.pos
		if err := s.value(inner); err != nil {
			return err
		}
		if out != nil {
			m := Member{Name: s.source[from:to], Value: s.data[start:s.pos], text: s.source[start:s.pos]}
			if m.Name != string(key) { // it was written with escapes
				m.Name = string(key)
			}
			*out = append(*out, m)
		}
		s.path = s.path[:len(s.path)-1]
		if more, err := s.more('}'); err != nil || !more {
			return err
		}
	}
}

// member finds the field that key names. Names we do not know are shown as "*".
func (s *scanner) member(key []byte, fields *fieldSet, elem reflect.Type) (string, reflect.Type, *fault.Error) {
	if fields == nil {
		return "*", elem, nil
	}
	if f, ok := fields.exact[string(key)]; ok {
		return string(key), f, nil
	}
	if name, ok := fields.folded[fold(string(key))]; ok {
		s.path = append(s.path, name)
		return "", nil, s.fail("is written with other capitals")
	}
	return "*", nil, nil
}

func (s *scanner) array(t reflect.Type) *fault.Error {
	_, elem := shape(t)
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if t != nil {
			s.path = append(s.path, strconv.Itoa(i))
		}
		if err := s.value(elem); err != nil {
			return err
		}
		if t != nil {
			s.path = s.path[:len(s.path)-1]
		}
		if more, err := s.more(']'); err != nil || !more {
			return err
		}
	}
}

func (s *scanner) colon() *fault.Error {
	s.space()
	if s.peek() != ':' {
		return s.fail("a colon is missing")
	}
	s.pos++
	s.space()
	return nil
}

// more reads a comma or the closing bracket.
func (s *scanner) more(end byte) (bool, *fault.Error) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		return true, nil
	case end:
		s.pos++
		return false, nil
	}
	return false, s.fail("a comma or closing bracket is missing")
}

func (s *scanner) literal() *fault.Error {
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
			s.pos += len(word)
			return nil
		}
	}
	return s.fail("a value is missing or misspelt")
}

func (s *scanner) number() *fault.Error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.fail("holds a misspelt number")
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return s.fail("holds a misspelt number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.fail("holds a misspelt number")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// text reads a string and gives its meaning: keys are compared by it, else "sub" and "\u0073ub" would be two names here and one name in
// the decoder.
func (s *scanner) text() ([]byte, *fault.Error) {
	s.pos++
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			out := s.data[start:s.pos]
			s.pos++
			return out, nil
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			return nil, s.fail("holds a control character")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			if err := s.rune(); err != nil {
				return nil, err
			}
		}
	}
	return nil, s.fail("a closing quote is missing")
}

func (s *scanner) rune() *fault.Error {
	r, n := utf8.DecodeRune(s.data[s.pos:])
	if r == utf8.RuneError && n <= 1 {
		return s.fail("is not valid UTF-8")
	}
	s.pos += n
	return nil
}

// escaped goes on with a string that holds an escape.
func (s *scanner) escaped(start int) ([]byte, *fault.Error) {
	out := append([]byte(nil), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		from := s.pos
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return out, nil
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
			continue
		case c < 0x20:
			return nil, s.fail("holds a control character")
		}
		if err := s.rune(); err != nil {
			return nil, err
		}
		out = append(out, s.data[from:s.pos]...)
	}
	return nil, s.fail("a closing quote is missing")
}

const (
	escapes = `"\/bfnrt`
	meaning = "\"\\/\b\f\n\r\t"
)

func (s *scanner) escape() (rune, *fault.Error) {
	s.pos++
	c := s.peek()
	if c != 'u' {
		i := strings.IndexByte(escapes, c)
		if i < 0 || s.pos >= len(s.data) {
			return 0, s.fail("holds an unknown escape")
		}
		s.pos++
		return rune(meaning[i]), nil
	}
	r, err := s.unit()
	if err != nil {
		return 0, err
	}
	if r == 0 {
		return 0, s.fail("holds a NUL")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if s.peek() != '\\' {
		return 0, s.fail("holds half a surrogate pair")
	}
	s.pos++
	if s.peek() != 'u' {
		return 0, s.fail("holds half a surrogate pair")
	}
	low, err := s.unit()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.fail("holds half a surrogate pair")
	}
	return r, nil
}

// unit reads uXXXX.
func (s *scanner) unit() (rune, *fault.Error) {
	if s.pos+5 > len(s.data) {
		return 0, s.fail("holds a broken escape")
	}
	var r rune
	for _, c := range s.data[s.pos+1 : s.pos+5] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.fail("holds a broken escape")
		}
		r = r<<4 | rune(c)
	}
	s.pos += 5
	return r, nil
}
