package oauth

import (
	"net/url"
	"strconv"
	"strings"
)

// Bounds of single parameters, in bytes. A reference of RFC 9126 is short; an ID token is the longest thing a client sends.
const (
	maxParam   = 2048
	maxState   = 4096
	maxIDToken = 8192
	maxList    = 32 // words of a list
)

// ParseParams reads an authorization request. What is given twice, too long or of the wrong type is noted in Unread and not refused
// here: the client is told of it by redirect, once it is known where that may lead.
func ParseParams(form url.Values) Params {
	r := reader{form: form}
	p := Params{
		ClientID: r.one("client_id", maxParam), RedirectURI: r.one("redirect_uri", maxParam), ResponseType: r.one("response_type", maxParam),
		ResponseMode: r.one("response_mode", maxParam), Scope: r.words("scope"), State: r.one("state", maxState),
		Nonce: r.one("nonce", maxParam), CodeChallenge: r.one("code_challenge", maxParam),
		CodeChallengeMethod: r.one("code_challenge_method", maxParam), Prompt: r.words("prompt"), ACRValues: r.words("acr_values"),
		LoginHint: r.one("login_hint", maxParam), IDTokenHint: r.one("id_token_hint", maxIDToken), UILocales: r.words("ui_locales"),
		Resource: r.many("resource"), DPoPKey: r.one("dpop_jkt", maxParam), RequestURI: r.one("request_uri", maxParam),
		MaxAge: r.seconds("max_age"),
	}
	for _, name := range []string{"request", "registration"} {
		if form.Get(name) != "" {
			p.Unsupported = append(p.Unsupported, name)
		}
	}
	p.Unread = r.unread
	return p
}

// reader takes parameters out of a form. One sent without a value counts as not sent (RFC 6749 section 3.1).
type reader struct {
	form   url.Values
	unread []string
}

func (r *reader) refuse(name string) { r.unread = append(r.unread, name) }

func (r *reader) one(name string, most int) string {
	values := r.form[name]
	switch {
	case len(values) > 1 || len(values) == 1 && (len(values[0]) > most || !printable(values[0])):
		r.refuse(name)
		return ""
	case len(values) == 0:
		return ""
	}
	return values[0]
}

// words is a list parted by single blanks, each word once.
func (r *reader) words(name string) []string {
	text := r.one(name, maxParam)
	if text == "" {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for word := range strings.SplitSeq(text, " ") {
		if word != "" && !seen[word] {
			seen[word] = true
			out = append(out, word)
		}
	}
	if len(out) > maxList {
		r.refuse(name)
		return nil
	}
	return out
}

// many is the one parameter that may be repeated (RFC 8707 section 2).
func (r *reader) many(name string) []string {
	var out []string
	for _, v := range r.form[name] {
		if v == "" {
			continue
		}
		if len(v) > maxParam || len(out) == maxList || !printable(v) {
			r.refuse(name)
			return nil
		}
		out = append(out, v)
	}
	return out
}

func (r *reader) seconds(name string) *int64 {
	text := r.one(name, maxParam)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 || text[0] == '+' {
		r.refuse(name)
		return nil
	}
	return &n
}

// printable refuses control characters: nothing of a request is ever meant to hold one.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}
