package resource

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Proofs makes middlewares accept tokens that are bound to a key of their holder (RFC 9449), by requests that prove it: a copied token is
// then worth nothing without the key.
type Proofs struct {
	// Origin is how callers reach this API: "https://api.example.com". It is what their proofs must name, whatever a Host header says.
	Origin string
	// Once reports whether the proof with this key is new, and remembers it for life: for APIs of several processes, which should share
	// what they have seen. nil remembers in this process, the newest 100 000 proofs. An error refuses the request (503).
	Once func(ctx context.Context, key string, life time.Duration) (bool, error)
}

// How old a proof may be, and how far its maker's clock may be ahead (RFC 9449 section 11.1).
const (
	proofAge   = 60 * time.Second
	proofAhead = 10 * time.Second
	proofKept  = proofAge + 2*proofAhead
	proofsSeen = 100_000
)

func (p *Proofs) valid() bool {
	u, err := url.Parse(p.Origin)
	return err == nil && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.RawQuery == "" &&
		u.Fragment == "" && (u.Path == "" || u.Path == "/")
}

// possessed checks that the request proves the key that its token is bound to (RFC 9449 section 7.1).
func (v *Verifier) possessed(r *http.Request, t *Token, raw string, bound bool) *Error {
	switch {
	case weak.Off("resource-proof"):
		return nil
	case t.Thumbprint == "" && !bound:
		return nil
	case t.Thumbprint == "":
		return unproved("the token is bound to no key")
	case !bound: // whoever forgets the scheme forgets the proof
		return unproved("a bound token came as a bearer token")
	}
	found := r.Header.Values("DPoP")
	if len(found) != 1 {
		return unproved("not exactly one proof")
	}
	proof, err := jose.ParseProof(found[0])
	if err != nil {
		return badProof(err.Error())
	}
	now := v.cfg.Now()
	sum := sha256.Sum256([]byte(raw))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case proof.Thumbprint != t.Thumbprint:
		return unproved("a proof of another key")
	case proof.Method != r.Method:
		return badProof("for another method")
	case !sameURL(proof.URL, v.cfg.Proofs.Origin, r.URL.EscapedPath()):
		return badProof("for another URL")
	case now.Sub(proof.IssuedAt) > proofAge, proof.IssuedAt.Sub(now) > proofAhead:
		return badProof("too old, or from the future")
	case subtle.ConstantTimeCompare([]byte(proof.AccessHash), []byte(ath)) != 1:
		return badProof("for another token")
	}
	return v.once(r.Context(), proof, now)
}

func (v *Verifier) once(ctx context.Context, p *jose.Proof, now time.Time) *Error {
	sum := sha256.Sum256([]byte(p.Thumbprint + "\n" + p.ID))
	key := base64.RawURLEncoding.EncodeToString(sum[:])
	if v.cfg.Proofs.Once == nil {
		if !v.seen.first(key, now) {
			return badProof("used before")
		}
		return nil
	}
	first, err := v.cfg.Proofs.Once(ctx, key, proofKept)
	if err != nil {
		return unavailable(err)
	}
	if !first {
		return badProof("used before")
	}
	return nil
}

func sameURL(htu, origin, path string) bool {
	u, err := url.Parse(htu)
	if err != nil || u.User != nil {
		return false
	}
	o, err := url.Parse(origin)
	if err != nil {
		return false
	}
	at := u.EscapedPath()
	if at == "" {
		at = "/"
	}
	return strings.EqualFold(u.Scheme, o.Scheme) && strings.EqualFold(u.Hostname(), o.Hostname()) && port(u) == port(o) && at == path
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	}
	return "80"
}

// seen remembers proofs in two generations: the older one goes when the newer one is full or old enough that nothing in the older is good.
type seen struct {
	mu       sync.Mutex
	new, old map[string]struct{}
	since    time.Time
}

func (s *seen) first(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil || now.Sub(s.since) > proofKept || len(s.new) >= proofsSeen/2 {
		s.old, s.new, s.since = s.new, map[string]struct{}{}, now
	}
	if _, known := s.new[key]; known {
		return false
	}
	if _, known := s.old[key]; known {
		return false
	}
	s.new[key] = struct{}{}
	return true
}

func unproved(detail string) *Error {
	e := denied(ReasonProof, detail)
	e.bound = true
	return e
}

func badProof(detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: codeProof, Reason: ReasonBadProof, detail: detail, bound: true}
}
