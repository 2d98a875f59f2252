package token

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// Shape says how a token that is not one of our own access tokens is signed: a service's, the feed's, another dialect's.
type Shape struct {
	Key     Kind   // Rotating, or Static: the tenant's first static key, which is RS256 and never changes
	Alg     string // with a rotating key; "" is the default algorithm
	Type    string // typ header, as it is to be written: "JWT"
	Version string // "version" header of SuperTokens session tokens, "" for none
}

// Sign signs claims, a whole JSON object, with the tenant's key for the shape at the instant (the tenant's clock). It adds and checks
// nothing: what may be in the object is the caller's to know. Like SignAccess it waits for a first key until ctx ends.
func (s *Service) Sign(ctx context.Context, t *tenant.Tenant, shape Shape, at time.Time, claims []byte) (string, error) {
	out, err := s.SignBy(ctx, t, shape, at, claims)
	return out.Text, err
}

// Signed is a signed token and the key that signed it.
type Signed struct {
	Text string
	KID  string
	Alg  string
}

// SignBy is Sign for who must know the key: a token that is to outlive the key's turn has it kept (SigningKey.KeepUntil).
func (s *Service) SignBy(ctx context.Context, t *tenant.Tenant, shape Shape, at time.Time, claims []byte) (Signed, error) {
	out, err := s.sign(ctx, t, shape, at, claims)
	if err != nil && fault.From(err).Kind != fault.Unavailable {
		return Signed{}, fault.Wrap(fault.Internal, fault.ReasonInternal, "the token cannot be signed", err)
	}
	return out, err
}

func (s *Service) sign(ctx context.Context, t *tenant.Tenant, shape Shape, at time.Time, claims []byte) (Signed, error) {
	if shape.Key != Static && shape.Alg != "" && !slices.Contains(jose.Algs(), shape.Alg) {
		return Signed{}, jose.ErrAlg
	}
	key, err := s.await(ctx, t, func(v *view) *held { return v.shaped(shape, at) })
	if err != nil {
		return Signed{}, err
	}
	signer, err := key.signer()
	if err != nil {
		return Signed{}, err
	}
	stamp, err := jose.NewVersionStamp(signer, shape.Type, shape.Version)
	if err != nil {
		return Signed{}, err
	}
	text, err := stamp.Sign(claims)
	return Signed{Text: text, KID: key.row.KID, Alg: key.row.Alg}, err
}

func (v *view) shaped(shape Shape, at time.Time) *held {
	if shape.Key != Static {
		alg := shape.Alg
		if alg == "" {
			alg = tenant.DefaultAlg
		}
		return v.signer(alg, at)
	}
	if v == nil || len(v.static) == 0 {
		return nil
	}
	return v.static[0]
}

// Query says which token Read accepts.
type Query struct {
	Usage  kind.Usage
	Issuer string // exact; "" accepts every issuer, for dialects whose callers write their own
	AnyAge bool
	// MaxSize is the longest token, in bytes; jose.DefaultMaxSize when 0. For kinds that carry what callers put into them.
	MaxSize int
}

// Read checks a token of a kind that is not a user's access token: key and its algorithm, typ, issuer, age, marker claims. Static keys are
// accepted where the kind allows them. Errors: ReasonInvalidToken, ReasonTokenExpired.
func (s *Service) Read(t *tenant.Tenant, q Query, raw string, at time.Time) (*jose.Token, error) {
	rules := jose.Rules{Types: q.Usage.Types, Issuer: q.Issuer, AnyIssuer: q.Issuer == "", EarlyBy: nodeSkew, AnyAge: q.AnyAge, MaxSize: q.MaxSize}
	keys := (*view).userKeys
	if q.Usage.Static {
		keys = (*view).everyKey
	}
	tok, err := s.check(t, rules, raw, at, keys)
	if err == nil && !q.Usage.Fits(tok) {
		err = fault.Wrap(fault.Unauthenticated, fault.ReasonInvalidToken, "the token is not valid", jose.ErrType)
	}
	if err != nil {
		return nil, err
	}
	return tok, nil
}

// KeyKind says whether a published key of the tenant is static or rotating; "" for a key it does not have.
func (s *Service) KeyKind(tenantID, kid string) Kind {
	if v := s.peek(tenantID); v != nil && v.known[kid] != nil {
		return v.known[kid].row.Kind
	}
	return ""
}

// Kept counts the tenant's keys that are retired and stay published for tokens that outlive them.
func (s *Service) Kept(tenantID string, at time.Time) int {
	n := 0
	if v := s.peek(tenantID); v != nil {
		for _, k := range v.known {
			if k.row.KeepUntil.After(at) {
				n++
			}
		}
	}
	return n
}

// Load reads the tenant's keys now: for processes in which Run does not work.
func (s *Service) Load(ctx context.Context, t *tenant.Tenant) error {
	return s.reload(ctx, t, s.keys(t.ID))
}

// CanSign reports whether a key of the kind and algorithm is there, so that signing would not wait.
func (s *Service) CanSign(tenantID string, key Kind, alg string) bool {
	return s.peek(tenantID).shaped(Shape{Key: key, Alg: cmp.Or(alg, jose.RS256)}, s.cfg.Now()) != nil
}
