// Package dpop owns the judgement of DPoP proofs (RFC 9449) that are sent to this server: whose request a proof speaks of, how old it is,
// that it is used once, and the nonces that it must repeat. It does not own the form of a proof (jose), what is bound to its key, or how a
// refusal is told.
package dpop

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// How far the clock of a proof's maker may be from ours (RFC 9449 section 11.1), and how long a proof is remembered: until it is too old
// on every node.
const (
	maxAge   = 60 * time.Second
	maxAhead = 10 * time.Second
	kept     = maxAge + 2*maxAhead
)

// Proofs judges proofs. Safe for concurrent use.
type Proofs struct {
	values ephemeral.Values
	ring   *secret.Ring
}

// New makes a judge. What was spent is remembered in values, nonces are sealed by the ring.
func New(values ephemeral.Values, ring *secret.Ring) *Proofs {
	return &Proofs{values: values, ring: ring}
}

// Request is a request that brought a proof.
type Request struct {
	TenantID  string
	Method    string
	URL       string      // of the request as its caller saw it; query and fragment are not compared
	Proof     string      // the DPoP header
	Access    secret.Text // the access token sent with it, which the proof must then name; empty where tokens are asked for
	WithNonce bool        // a proof without one of our nonces is refused: it may have been made long ago, on a device that its thief has left
}

// Check judges a proof (RFC 9449 section 4.3) and spends it: of many callers with one proof exactly one passes. It gives the thumbprint of
// the key. Refusals are Unauthenticated: ReasonOAuthProof, or ReasonOAuthNonce when the answer must bring a nonce. Instants are the
// machine's: another party stamped the proof.
func (p *Proofs) Check(ctx context.Context, call *audit.Call, q Request) (thumbprint string, err error) {
	proof, err := jose.ParseProof(q.Proof)
	if err != nil {
		return "", fault.Wrap(fault.Unauthenticated, fault.ReasonOAuthProof, "the proof of possession is not valid", err)
	}
	switch {
	case proof.Method != q.Method:
		return "", refused("the proof of possession is for another method")
	case !sameURL(proof.URL, q.URL):
		return "", refused("the proof of possession is for another URL")
	case call.Wall.Sub(proof.IssuedAt) > maxAge, proof.IssuedAt.Sub(call.Wall) > maxAhead:
		return "", refused("the proof of possession is too old, or from the future")
	case !q.Access.IsZero() && !names(proof.AccessHash, q.Access):
		return "", refused("the proof of possession does not name this access token")
	}
	if err := p.spendNonce(ctx, call, &q, proof); err != nil {
		return "", err
	}
	if err := p.spend(ctx, call, "dpop:"+q.TenantID+":"+digest(proof.Thumbprint+"\n"+proof.ID), kept); err != nil {
		return "", err
	}
	return proof.Thumbprint, nil
}

func refused(safe string) error {
	return fault.New(fault.Unauthenticated, fault.ReasonOAuthProof, safe)
}

// spend lets one caller pass. A memory that cannot be asked lets nobody pass: a proof that is not remembered could be used again.
func (p *Proofs) spend(ctx context.Context, call *audit.Call, key string, life time.Duration) error {
	first, err := p.values.Lease(ctx, key, secret.Random(16), call.Wall, life)
	if err != nil {
		return err
	}
	if !first && !weak.Off("proof-once") {
		return refused("the proof of possession was used before")
	}
	return nil
}

// names reports whether ath is the hash of this token (RFC 9449 section 4.2).
func names(ath string, access secret.Text) bool {
	return subtle.ConstantTimeCompare([]byte(ath), []byte(digest(access.Reveal()))) == 1
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameURL compares scheme, host and path as RFC 9449 section 4.3 check 9 says: letter case of scheme and host and a default port make no
// difference, query and fragment are left out.
func sameURL(a, b string) bool {
	x, ok1 := place(a)
	y, ok2 := place(b)
	return ok1 && ok2 && x == y
}

func place(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + path, true
}
