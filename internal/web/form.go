package web

import (
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// maxFields is how many parameters a form or a query may have.
const maxFields = 100

// DecodeForm reads an application/x-www-form-urlencoded body strictly: 415 for another media type, 413 beyond MaxBody, 400 for what does not
// parse, is not UTF-8, holds a NUL, or gives a parameter twice (RFC 6749 section 3.1) that is not named in several. Parameters without a
// value are left out, as if they had not been sent. Refusals name the field and never repeat what was sent.
func DecodeForm(x *Exchange, several ...string) (url.Values, error) {
	form, err := ReadForm(x)
	if err != nil {
		return nil, err
	}
	return form, Once(form, several...)
}

// ReadForm is DecodeForm for callers that judge repeated parameters themselves.
func ReadForm(x *Exchange) (url.Values, error) {
	kind, params, err := mime.ParseMediaType(x.R.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != "application/x-www-form-urlencoded" || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		len(x.R.Header["Content-Type"]) != 1 {
		return nil, fault.New(fault.Unsupported, fault.ReasonMediaType, "the body must be application/x-www-form-urlencoded")
	}
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	return parameters(string(body))
}

// ReadQuery reads the query as strictly as ReadForm reads a body; net/http would drop what it cannot read in silence.
func ReadQuery(x *Exchange) (url.Values, error) { return parameters(x.R.URL.RawQuery) }

// Once refuses parameters that are given more than once, except those named in several.
func Once(form url.Values, several ...string) error {
	for name, values := range form {
		if len(values) > 1 && !slices.Contains(several, name) {
			return badParameter(name, "is given twice")
		}
	}
	return nil
}

func parameters(text string) (url.Values, error) {
	form, err := url.ParseQuery(text)
	if err != nil || strings.Count(text, "&") >= maxFields {
		return nil, fault.New(fault.Invalid, fault.ReasonMalformed, "the parameters do not parse, or are too many")
	}
	for name, values := range form {
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		for _, v := range append([]string{name}, values...) {
			if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
				return nil, badParameter(name, "is not text")
			}
		}
		if form[name] = values; len(values) == 0 {
			delete(form, name)
		}
	}
	return form, nil
}

var parameterName = regexp.MustCompile(`^[a-z_]{1,32}$`)

// badParameter names the field only when it looks like one of ours: a stranger's text does not come back.
func badParameter(name, what string) error {
	if !parameterName.MatchString(name) {
		name = "a parameter"
	}
	return fault.New(fault.Invalid, fault.ReasonInvalid, "a parameter is wrong").WithFields(fault.Field{Name: name, Message: what})
}
