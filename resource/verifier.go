package resource

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// Verifier judges tokens. It is safe for concurrent use, and has nothing to close.
type Verifier struct {
	cfg    Config
	keys   *keyring
	cache  *cache
	csrf   *http.CrossOriginProtection
	seen   *seen // proofs
	asker  *asker
	realm  string
	opened jose.Rules // what every token must be before its kind is known
}

// New makes a verifier. With a JWKSURL it begins to fetch the keys at once and does not wait for them: the first Verify does, or Warm.
// The error names every fault of the configuration.
func New(cfg Config) (*Verifier, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.filled()
	csrf := http.NewCrossOriginProtection()
	for _, origin := range cfg.TrustedOrigins {
		if err := csrf.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	keys, err := newKeyring(cfg)
	if err != nil {
		return nil, err
	}
	return &Verifier{
		cfg: cfg, keys: keys, cache: newCache(cfg.CacheSize), csrf: csrf, seen: &seen{}, asker: newAsker(cfg), realm: cfg.Realm,
		opened: jose.Rules{Types: []string{kind.User.Types[0], kind.UserJWT.Types[0]}},
	}, nil
}

// Warm waits until there are keys, for programs that would rather not start without. The error is a *Error with status 503.
func (v *Verifier) Warm(ctx context.Context) error {
	if _, err := v.keys.usable(ctx, v.cfg.Now()); err != nil {
		return unavailable(err)
	}
	return nil
}

// Verify judges a token in its compact form: a user's, a client's or a service's access token, which Token.Kind tells. The error is always a *Error.
// It waits for keys only when no known key can serve: at the first token, and for a kid that is new.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Token, error) {
	t, err := v.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if t.Thumbprint != "" && !v.cfg.AcceptBound {
		return nil, denied(ReasonProof, "the token is bound to a key")
	}
	return t, nil
}

func (v *Verifier) verify(ctx context.Context, raw string) (*Token, *Error) {
	if raw == "" {
		return nil, missing()
	}
	if len(raw) > jose.DefaultMaxSize {
		return nil, denied(ReasonInvalid, "too long")
	}
	if v.asker.opaque(raw) {
		return v.verifyOpaque(ctx, raw)
	}
	e, refusal := v.accept(ctx, raw)
	if refusal != nil {
		return nil, refusal
	}
	t := &e.token
	if v.cache != nil { // a copy: what a handler does to it is not seen by the next request
		t = new(e.token)
	}
	if err := v.cfg.Feed.admit(ctx, t, raw); err != nil {
		return nil, asError(err)
	}
	return t, nil
}

func (v *Verifier) accept(ctx context.Context, raw string) (*entry, *Error) {
	now, name := v.cfg.Now(), digest{}
	if v.cache != nil {
		name = digestOf(raw)
	}
	if e := v.cache.get(name); e != nil {
		if set := v.keys.current(now); set != nil && e.good(set, now) {
			return e, nil
		}
		v.cache.drop(name)
	}
	e, err := v.judge(ctx, raw, now)
	if err != nil {
		return nil, err
	}
	v.cache.put(name, e)
	return e, nil
}

// judge is the whole check of a token that is not remembered.
func (v *Verifier) judge(ctx context.Context, raw string, now time.Time) (*entry, *Error) {
	tok, key, refusal := v.open(ctx, raw, now)
	if refusal != nil {
		return nil, refusal
	}
	is := kindOf(tok)
	if is == "" {
		return nil, denied(ReasonKind, "not a user's, a client's or a service's access token")
	}
	if is != KindService && static(key) { // who holds a static key makes services' tokens, and must not be able to make users
		return nil, denied(ReasonKind, "a user's or client's token signed by a static key")
	}
	if err := v.rules(is, tok).Judge(tok, now); err != nil {
		refusal := refusalOf(err)
		refusal.kind = is
		return nil, refusal
	}
	t, err := newToken(is, tok)
	if err != nil {
		return nil, denied(ReasonInvalid, err.Error())
	}
	if t.Thumbprint != "" && !v.cfg.AcceptBound && v.cfg.Proofs == nil {
		return nil, denied(ReasonProof, "the token is bound to a key")
	}
	e := &entry{token: t, key: key, until: tok.ExpiresAt.Add(v.cfg.Leeway)}
	for _, from := range []time.Time{tok.NotBefore, tok.IssuedAt} {
		if from = from.Add(-v.cfg.Leeway); from.After(e.from) {
			e.from = from
		}
	}
	return e, nil
}

// open checks form and signature, fetching the keys again when the token names one that is not known.
func (v *Verifier) open(ctx context.Context, raw string, now time.Time) (*jose.Token, *jose.PublicKey, *Error) {
	set, err := v.keys.usable(ctx, now)
	if err != nil {
		return nil, nil, unavailable(err)
	}
	tok, err := jose.Open(v.opened, set.keys, raw)
	if errors.Is(err, jose.ErrUnknownKey) {
		newer, fetchErr := v.keys.newer(ctx, now, set)
		if fetchErr != nil { // it may be a good token of a new key: not the caller's fault
			return nil, nil, unavailable(fetchErr)
		}
		if newer != nil {
			set = newer
			tok, err = jose.Open(v.opened, set.keys, raw)
		}
	}
	if err != nil {
		return nil, nil, refusalOf(err)
	}
	return tok, set.keys.Find(tok.KID), nil
}

// rules are what the claims of a token of a kind must say.
func (v *Verifier) rules(is string, t *jose.Token) jose.Rules {
	r := jose.Rules{Issuer: v.cfg.Issuer, Audience: v.cfg.Audience, Leeway: v.cfg.Leeway}
	if is != KindService {
		return r
	}
	if v.cfg.ServiceIssuer != "" && t.Issuer == v.cfg.ServiceIssuer {
		r.Issuer = v.cfg.ServiceIssuer
	}
	if v.cfg.ServiceWithoutAudience && len(t.Audience) == 0 {
		r.Audience = ""
	}
	return r
}

// static reports whether a key never rotates: SuperTokens' "s-" keys, and a pinned key without id.
func static(k *jose.PublicKey) bool { return k.KID() == "" || strings.HasPrefix(k.KID(), "s-") }

// reasons turn the causes of the JOSE room into ours.
var reasons = []struct {
	cause  error
	reason string
}{
	{jose.ErrExpired, ReasonExpired}, {jose.ErrUnknownKey, ReasonUnknownKey}, {jose.ErrEarly, ReasonEarly}, {jose.ErrIssuer, ReasonIssuer},
	{jose.ErrAudience, ReasonAudience}, {jose.ErrType, ReasonKind},
}

func refusalOf(err error) *Error {
	for _, r := range reasons {
		if errors.Is(err, r.cause) {
			return denied(r.reason, r.cause.Error())
		}
	}
	for _, cause := range []error{jose.ErrMalformed, jose.ErrHeader, jose.ErrWrongAlg, jose.ErrSignature, jose.ErrClaims} {
		if errors.Is(err, cause) {
			return denied(ReasonInvalid, cause.Error())
		}
	}
	return denied(ReasonInvalid, "")
}
