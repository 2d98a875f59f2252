package supertokens

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// request is a call that has passed the doors.
type request struct {
	call    *audit.Call
	app     *tenant.Tenant // what SuperTokens calls an app
	org     string         // what SuperTokens calls a tenant: an organisation of the app; "public" when none was named
	orgGone bool           // the organisation is not there; only a loose endpoint sees it
	key     secret.Text    // as presented
	version version
	rid     string // recipe id header, in lower case
	query   url.Values

	x       *web.Exchange
	members map[string]strictjson.Member // the body once it was read
}

// none reports whether a member is absent, or null, which means the same for a field that may be left out.
func none(m strictjson.Member) bool { return m.Name == "" || string(m.Value) == "null" }

// member gives a field of the body; Name is empty when the body has none such.
func (r *request) member(name string) (strictjson.Member, error) {
	if r.members == nil {
		if err := r.read(); err != nil {
			return strictjson.Member{}, err
		}
	}
	return r.members[name], nil
}

func (r *request) read() error {
	raw, err := r.x.Body()
	if err != nil {
		return err
	}
	list, err := strictjson.Object(raw, strictjson.Limits{})
	if e := fault.From(err); err != nil && e.Kind == fault.TooLarge {
		return e
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, fault.ReasonMalformed, "Invalid Json Input", err)
	}
	r.members = make(map[string]strictjson.Member, len(list))
	for _, m := range list {
		r.members[m.Name] = m
	}
	return nil
}

// bad is a refusal of input: 400 with the text as it stands.
func bad(text string) error { return fault.New(fault.Invalid, fault.ReasonInvalid, text) }

func badField(name string) error { return bad("Field name '" + name + "' is invalid in JSON input") }

// text gives a string that must be in the body.
func (r *request) text(name string) (string, error) {
	s, there, err := r.maybeText(name)
	if err == nil && !there {
		err = badField(name)
	}
	return s, err
}

// maybeText gives a string that may be left out.
func (r *request) maybeText(name string) (value string, there bool, err error) {
	m, err := r.member(name)
	if err != nil || none(m) {
		return "", false, err
	}
	s, isText := m.Text()
	if !isText {
		return "", false, badField(name)
	}
	return s, true, nil
}

// flag gives a boolean that must be in the body.
func (r *request) flag(name string) (bool, error) {
	m, err := r.member(name)
	if err != nil {
		return false, err
	}
	b, isBool := m.Bool()
	if !isBool {
		return false, badField(name)
	}
	return b, nil
}

// maybeFlag gives a boolean that may be left out, and then is true.
func (r *request) maybeFlag(name string) (bool, error) {
	m, err := r.member(name)
	if err != nil || none(m) {
		return true, err
	}
	return r.flag(name)
}

// number gives a JSON number that must be in the body, as it was written.
func (r *request) number(name string) (json.Number, error) {
	m, err := r.member(name)
	if err != nil {
		return "", err
	}
	if len(m.Value) == 0 || m.Value[0] != '-' && (m.Value[0] < '0' || m.Value[0] > '9') {
		return "", badField(name)
	}
	return json.Number(m.Value), nil
}

// object gives the JSON text of an object that must be in the body; it is part of the body's memory. Nulls inside it stay.
func (r *request) object(name string) (json.RawMessage, error) {
	o, err := r.maybeObject(name)
	if err == nil && o == nil {
		err = badField(name)
	}
	return o, err
}

// maybeObject is object for one that may be left out: nil.
func (r *request) maybeObject(name string) (json.RawMessage, error) {
	m, err := r.member(name)
	if err != nil || none(m) {
		return nil, err
	}
	if m.Value[0] != '{' {
		return nil, badField(name)
	}
	return m.Value, nil
}

// texts gives an array of strings that must be in the body.
func (r *request) texts(name string) ([]string, error) {
	m, err := r.member(name)
	if err != nil {
		return nil, err
	}
	list, isList := m.Texts()
	if !isList {
		return nil, badField(name)
	}
	return list, nil
}

// asked gives a query parameter that must be there.
func (r *request) asked(name string) (string, error) {
	if !r.query.Has(name) {
		return "", bad("Field name '" + name + "' is missing in GET request")
	}
	return r.query.Get(name), nil
}

// askedFlag gives a query parameter that is "true" or "false" in any case, and otherwise when it is missing.
func (r *request) askedFlag(name string, otherwise bool) (bool, error) {
	if !r.query.Has(name) {
		return otherwise, nil
	}
	switch strings.ToLower(r.query.Get(name)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, bad("Field name '" + name + "' must be either true or false in GET request")
}
