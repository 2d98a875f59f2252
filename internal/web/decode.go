package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// MaxBody is how many bytes a request body may have.
const MaxBody = 64 << 10

// Decode reads the JSON body strictly into *into: 415 for another media type, 413 beyond MaxBody, 400 for anything malformed (the field
// is named, its value never repeated: it may be a password). Unknown fields are ignored.
func Decode[T any](x *Exchange, into *T) error {
	if err := jsonType(x.R); err != nil {
		return err
	}
	body, err := x.Body()
	if err != nil {
		return err
	}
	if start := bytes.TrimLeft(body, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		return fault.New(fault.Invalid, fault.ReasonMalformed, "the body must be one JSON object")
	}
	return strictjson.Decode(body, into)
}

// DecodeOptional is Decode for calls that may come without a body; then *into stays as it is.
func DecodeOptional[T any](x *Exchange, into *T) error {
	if x.R.Body == nil || x.R.Body == http.NoBody || x.R.ContentLength == 0 {
		return nil
	}
	if x.R.ContentLength < 0 && x.R.Header.Get("Content-Type") == "" {
		body, err := x.Body()
		if err != nil || len(body) == 0 {
			return err
		}
		return wrongType()
	}
	return Decode(x, into)
}

// Body reads the whole body, at most MaxBody bytes; more is 413.
func (x *Exchange) Body() ([]byte, error) {
	if x.R.ContentLength > MaxBody {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.out.ResponseWriter, x.R.Body, MaxBody))
	if err != nil {
		return nil, unreadable(err)
	}
	return body, nil
}

func unreadable(err error) error {
	if over := new(http.MaxBytesError); errors.As(err, &over) {
		return tooLarge()
	}
	return fault.Wrap(fault.Invalid, fault.ReasonMalformed, "the body could not be read", err)
}

// jsonType wants application/json; a charset, when named, must be UTF-8 (RFC 8259 section 8.1). An HTML form cannot send it, which is a
// second wall against cross-site posts.
func jsonType(r *http.Request) error {
	sent := r.Header["Content-Type"]
	if len(sent) != 1 {
		return wrongType()
	}
	if sent[0] == jsonContent[0] {
		return nil // as nearly everybody writes it
	}
	kind, params, err := mime.ParseMediaType(sent[0])
	if err != nil || kind != "application/json" {
		return wrongType()
	}
	if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
		return wrongType()
	}
	return nil
}

func tooLarge() *fault.Error {
	return fault.New(fault.TooLarge, fault.ReasonTooLarge, "the body is larger than 64 KiB")
}

func wrongType() *fault.Error {
	return fault.New(fault.Unsupported, fault.ReasonMediaType, "the body must be application/json")
}
