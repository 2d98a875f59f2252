// Package strictjson owns the one strict reading of JSON, for request bodies and for tokens: text that two parsers could read
// differently (duplicate keys, NUL, bad UTF-8, lone surrogates, trailing data) is refused before encoding/json sees it. It does not own
// what a document means.
package strictjson

import (
	"cmp"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Limits bound a document. A zero field takes the default.
type Limits struct {
	Bytes int // longest document, in bytes; 64 KiB by default
	Depth int // deepest nesting of objects and arrays; 32 by default
}

// The default limits.
const (
	DefaultBytes = 64 << 10
	DefaultDepth = 32
)

func (l Limits) filled() Limits {
	return Limits{Bytes: cmp.Or(l.Bytes, DefaultBytes), Depth: cmp.Or(l.Depth, DefaultDepth)}
}

// Check reports whether data is exactly one strict JSON value within the limits (RFC 8259, narrowed as RFC 7493 advises). The error is a
// *fault.Error of kind Invalid or TooLarge; it never repeats anything that was submitted.
func Check(data []byte, l Limits) error { return check(data, l, nil) }

// Decode checks data and then decodes it into the pointer into, with encoding/json and the default limits. Unknown fields are ignored. A
// name that differs from a field's only in case is refused: encoding/json would take {"email": …, "EMAIL": …} as one field twice. Errors
// are *fault.Error; Fields names the faulty field by its path ("user.name"), never by what it held. After an error into is half written.
func Decode(data []byte, into any) error { return DecodeWithin(data, into, Limits{}) }

// DecodeWithin is Decode with other limits.
func DecodeWithin(data []byte, into any, l Limits) error {
	if err := check(data, l, reflect.TypeOf(into)); err != nil {
		return err
	}
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return invalid(fault.ReasonInvalid, wrong.Field, "has the wrong type")
	}
	return invalid(fault.ReasonInvalid, "", "a field has the wrong form") // the decoder's own text may hold the value
}

func check(data []byte, l Limits, into reflect.Type) error {
	l = l.filled()
	if len(data) > l.Bytes {
		return errTooLarge
	}
	s := scanner{data: data, depth: l.Depth}
	if err := s.document(into); err != nil {
		return err
	}
	return nil
}

// invalid names a fault at a path. Paths hold only names of our own fields: a submitted name may be a misplaced secret.
func invalid(reason fault.Reason, path, problem string) *fault.Error {
	if path == "" {
		return fault.New(fault.Invalid, reason, "the JSON document is not acceptable: "+problem)
	}
	return fault.New(fault.Invalid, reason, "the field "+path+" "+problem).WithFields(fault.Field{Name: path, Message: problem})
}
