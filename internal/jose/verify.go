package jose

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Why a token was refused; the cause inside the *fault.Error that Verify returns.
var (
	ErrMalformed  = errors.New("not a strict compact JWS")
	ErrHeader     = errors.New("a header parameter that is not supported")
	ErrUnknownKey = errors.New("unknown key")
	ErrWrongAlg   = errors.New("the algorithm is not the key's")
	ErrSignature  = errors.New("the signature is wrong")
	ErrType       = errors.New("a token of another type")
	ErrClaims     = errors.New("a registered claim is missing or has the wrong form")
	ErrIssuer     = errors.New("another issuer")
	ErrAudience   = errors.New("another audience")
	ErrEarly      = errors.New("not valid yet")
	ErrExpired    = errors.New("expired")
)

// DefaultMaxSize is the longest token accepted, in bytes; a cookie holds less.
const DefaultMaxSize = 8 << 10

// Rules say which tokens are accepted. The zero value accepts none.
type Rules struct {
	Types     []string      // accepted typ headers in lower case without "application/"; a token without typ has type ""
	Issuer    string        // exact; "" accepts none
	AnyIssuer bool          // accept every issuer and none: for dialects whose callers write their own
	Audience  string        // must be among aud; "" is no demand
	Leeway    time.Duration // for the difference of clocks: all three instants
	EarlyBy   time.Duration // more of it for nbf and iat alone: another node's clock may be ahead, but no token should live longer
	MaxSize   int           // bytes; DefaultMaxSize when 0
	AnyAge    bool          // accept expired tokens too: for logout, which must work with them
}

// Token is a verified token.
type Token struct {
	KID, Alg, Type string // Type in lower case without "application/"
	Issuer         string
	Subject        string
	ID             string // jti
	Audience       []string
	ExpiresAt      time.Time
	NotBefore      time.Time           // zero when absent
	IssuedAt       time.Time           // zero when absent
	Claims         []strictjson.Member // every claim, the registered ones too
}

// Claim gives the JSON of a claim by its exact name.
func (t *Token) Claim(name string) (json.RawMessage, bool) {
	for _, m := range t.Claims {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Verify checks raw against keys and rules at the instant now. It does no I/O. The error is a *fault.Error of kind Unauthenticated:
// ReasonTokenExpired for a token that is right in everything but its age, else ReasonInvalidToken; its cause is one of the errors above.
func Verify(r Rules, keys Keys, raw string, now time.Time) (*Token, error) {
	t, err := Open(r, keys, raw)
	if err != nil {
		return nil, err
	}
	if err := r.Judge(t, now); err != nil {
		return nil, err
	}
	return t, nil
}

// Open is the first half of Verify: form, key, signature, typ, and the types of the registered claims. What they say is not judged yet: for
// callers whose rules depend on the kind of the token, who must call Judge. Errors are those of Verify.
func Open(r Rules, keys Keys, raw string) (*Token, error) {
	h, payload, err := open(keys, raw, r.MaxSize)
	if err != nil {
		return nil, refuse(err)
	}
	if !slices.Contains(r.Types, h.typ) {
		return nil, refuse(ErrType)
	}
	members, err := strictjson.Object(payload, strictjson.Limits{Bytes: len(payload)})
	if err != nil {
		return nil, refuse(ErrClaims)
	}
	t := &Token{KID: h.kid, Alg: h.alg, Type: h.typ, Claims: members}
	if !t.registered() {
		return nil, refuse(ErrClaims)
	}
	return t, nil
}

// Judge is the second half of Verify: issuer, audience and age of an opened token, at any later instant too.
func (r Rules) Judge(t *Token, now time.Time) error {
	if err := r.judge(t, now); err != nil {
		return refuse(err)
	}
	return nil
}

// judge checks the claims of a token whose signature is right. Age comes last, so that "expired" says that nothing else is wrong.
func (r Rules) judge(t *Token, now time.Time) error {
	switch {
	case !r.AnyIssuer && (r.Issuer == "" || t.Issuer != r.Issuer):
		return ErrIssuer
	case r.Audience != "" && !slices.Contains(t.Audience, r.Audience):
		return ErrAudience
	case !t.NotBefore.IsZero() && now.Add(r.Leeway+r.EarlyBy).Before(t.NotBefore):
		return ErrEarly
	case !t.IssuedAt.IsZero() && now.Add(r.Leeway+r.EarlyBy).Before(t.IssuedAt): // from the future: a clock or a forger is wrong
		return ErrEarly
	case !t.IssuedAt.IsZero() && t.ExpiresAt.Before(t.IssuedAt):
		return ErrClaims
	case !r.AnyAge && !now.Add(-r.Leeway).Before(t.ExpiresAt): // RFC 7519 section 4.1.4: "on or after" is too late
		return ErrExpired
	}
	return nil
}

func refuse(cause error) error {
	if errors.Is(cause, ErrExpired) {
		return fault.Wrap(fault.Unauthenticated, fault.ReasonTokenExpired, "the token has expired", cause)
	}
	return fault.Wrap(fault.Unauthenticated, fault.ReasonInvalidToken, "the token is not valid", cause)
}

// header is what is used of a JOSE header. jku, x5u, x5c and jwk are ignored: a token must not bring or name its own key (RFC 8725
// section 3.10).
type header struct{ alg, kid, typ string }

// open checks form and signature and gives the payload.
func open(keys Keys, raw string, limit int) (header, []byte, error) {
	if len(raw) > cmp.Or(limit, DefaultMaxSize) {
		return header{}, nil, ErrMalformed
	}
	head, rest, ok1 := strings.Cut(raw, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 { // a third dot (JWE) falls at the alphabet
		return header{}, nil, ErrMalformed
	}
	w := works.Get().(*work)
	defer works.Put(w)
	h, err := readHeader(head, w)
	if err != nil {
		return header{}, nil, err
	}
	payload, ok := decode(nil, body) // the claims stay in it
	sig, ok2 := decode(w.sig[:0], tail)
	if !ok || !ok2 {
		return header{}, nil, ErrMalformed
	}
	if weak.Off("alg-bound") {
		return h, payload, nil
	}
	key := keys.Find(h.kid)
	if key == nil {
		return header{}, nil, ErrUnknownKey
	}
	if h.alg != key.alg { // the attack: RS256's public key used as an HMAC secret, or "none"
		return header{}, nil, ErrWrongAlg
	}
	w.sig, w.input = sig, append(w.input[:0], raw[:len(head)+1+len(body)]...)
	if !key.verify(w.input, w.sig) {
		return header{}, nil, ErrSignature
	}
	return h, payload, nil
}

// peek reads the header of a token of which nothing is believed yet.
func peek(raw string) (header, bool) {
	head, _, ok := strings.Cut(raw, ".")
	if !ok || len(raw) > DefaultMaxSize {
		return header{}, false
	}
	w := works.Get().(*work)
	defer works.Put(w)
	h, err := readHeader(head, w)
	return h, err == nil
}

// work is the memory of one verification that nothing keeps.
type work struct{ head, sig, input []byte }

var works = sync.Pool{New: func() any { return &work{} }}

// maxHeader bounds the header in bytes of JSON.
const maxHeader = 2 << 10

func readHeader(segment string, w *work) (header, error) {
	text, ok := decode(w.head[:0], segment)
	if !ok {
		return header{}, ErrMalformed
	}
	w.head = text
	members, err := strictjson.Object(text, strictjson.Limits{Bytes: maxHeader, Depth: 8})
	if err != nil {
		return header{}, ErrMalformed
	}
	var h header
	for _, m := range members {
		ok := true
		switch m.Name {
		case "alg":
			h.alg, ok = m.Text()
		case "kid":
			h.kid, ok = m.Text()
			ok = ok && len(h.kid) <= maxKID
		case "typ":
			h.typ, ok = m.Text()
			h.typ = mediaType(h.typ)
		case "crit", "b64": // we understand no extension, so all critical ones are refused (RFC 7515 section 4.1.11, RFC 7797)
			return header{}, ErrHeader
		}
		if !ok {
			return header{}, ErrMalformed
		}
	}
	return h, nil
}

// mediaType brings a typ to lower case and drops "application/" (RFC 7515 section 4.1.9). Only ASCII letters fold.
func mediaType(typ string) string {
	if typ == "at+jwt" || typ == "jwt" { // what nearly every token has
		return typ
	}
	lower := []byte(typ)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return strings.TrimPrefix(string(lower), "application/")
}

// decode appends strict base64url to dst: the library skips line breaks, by which one signature would have many texts.
func decode(dst []byte, segment string) ([]byte, bool) {
	if strings.IndexByte(segment, '\r') >= 0 || strings.IndexByte(segment, '\n') >= 0 {
		return nil, false
	}
	n := b64.DecodedLen(len(segment))
	dst = slices.Grow(dst, n)[:n]
	n, err := b64.Decode(dst, []byte(segment))
	return dst[:n], err == nil
}
