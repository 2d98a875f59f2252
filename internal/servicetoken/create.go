package servicetoken

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Request asks for a token of a service.
type Request struct {
	Name     string                     // of the service; the token's sub is "service:" and it
	Claims   map[string]json.RawMessage // custom claims; of the reserved ones only source, scope and roles
	Source   string                     // the claim source; "" is what Claims say, or DefaultSource
	Audience []string                   // aud; none by default
	TTL      time.Duration              // 0 is DefaultLife; whole seconds
	Key      token.Kind                 // "" is Static
	Alg      string                     // with a rotating key; "" is RS256, which every library knows
}

const (
	subjectPrefix = "service:" // no user's id looks like it: those are UUIDs
	typ           = "JWT"

	// longestKept bounds how many retired keys stay published for tokens that outlive them: each is a part of every copy of the JWKS.
	longestKept = 100
	// sureLife is what every token gets from a rotating key without asking: retired keys stay published for longer.
	sureLife = time.Hour
	signings = 3
	maxBody  = 5600 // bytes of claims; signed and in base64 it is below jose.DefaultMaxSize
)

// Create makes a token. Errors name the field: name, claims, audience, ttl, key, alg.
func (s *Service) Create(ctx context.Context, call *audit.Call, t *tenant.Tenant, r Request) (Issued, error) {
	if !plainName(r.Name) {
		return Issued{}, invalid("name", "must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ -")
	}
	if r.TTL == 0 {
		r.TTL = DefaultLife
	}
	if r.TTL < time.Second || r.TTL > MaxLife {
		return Issued{}, invalid("ttl", "must be 1 second to 100 years (3153600000 seconds)")
	}
	shape, err := shapeOf(r.Key, r.Alg)
	if err != nil {
		return Issued{}, err
	}
	if err := checkAudience(r.Audience); err != nil {
		return Issued{}, err
	}
	own, err := custom(r.Claims, r.Source)
	if err != nil {
		return Issued{}, err
	}
	row := s.row(call, t, shape.Key)
	row.Name, row.JTI, row.Issuer, row.Claims, row.Audience = r.Name, row.ID, t.Issuer, own, r.Audience
	row.ExpiresAt = row.CreatedAt.Add(r.TTL.Truncate(time.Second))
	return s.issue(ctx, call, t, row, job{shape, body(&row), EventCreated})
}

// row is a token made now. Instants in a token are whole seconds, and the list tells the same ones.
func (s *Service) row(call *audit.Call, t *tenant.Tenant, key token.Kind) Token {
	return Token{
		TenantID: t.ID, ID: secret.NewID(call.At), Key: key, CreatedAt: call.At.UTC().Truncate(time.Second), Face: call.Face, Maker: call.Actor,
	}
}

func shapeOf(key token.Kind, alg string) (token.Shape, error) {
	shape := token.Shape{Key: key, Alg: alg, Type: typ}
	switch {
	case key == "":
		shape.Key = token.Static
	case key != token.Static && key != token.Rotating:
		return shape, invalid("key", "must be static or rotating")
	}
	if alg == "" {
		shape.Alg = jose.RS256
	}
	if !slices.Contains(jose.Algs(), shape.Alg) {
		return shape, invalid("alg", "must be one of RS256, ES256, EdDSA")
	}
	if shape.Key == token.Static && shape.Alg != jose.RS256 {
		return shape, invalid("alg", "must be RS256 with a static key; a rotating one has the choice")
	}
	return shape, nil
}

// body is the whole claims object of a token of ours.
func body(row *Token) []byte {
	var o object
	o.text("iss", row.Issuer)
	o.text("tid", row.TenantID)
	o.text("sub", subjectPrefix+row.Name)
	if len(row.Audience) == 1 {
		o.text("aud", row.Audience[0]) // RFC 7519 section 4.1.3
	} else if len(row.Audience) > 1 {
		list, _ := json.Marshal(row.Audience) // strings always encode
		o.raw("aud", list)
	}
	o.seconds("iat", row.CreatedAt)
	o.seconds("nbf", row.CreatedAt)
	o.seconds("exp", row.ExpiresAt)
	o.text("jti", row.JTI)
	own := string(row.Claims)
	return append(o.done()[:o.b.Len()], ","+own[1:]...)
}

// job is what is to be signed, and the event of it.
type job struct {
	shape  token.Shape
	claims []byte
	event  string
}

// issue signs and records. The row is written before anybody sees the token: there is none that is not in the list. A key that was withdrawn
// between signing and writing signs nothing that leaves; the next one does.
func (s *Service) issue(ctx context.Context, call *audit.Call, t *tenant.Tenant, row Token, j job) (Issued, error) {
	shape, claims := j.shape, j.claims
	if len(claims) > maxBody {
		return Issued{}, invalid("claims", "and audience are too long for a token")
	}
	if shape.Key == token.Rotating && row.ExpiresAt.Sub(call.At) > sureLife && s.signer.Kept(t.ID, call.At) >= longestKept {
		return Issued{}, fault.New(fault.Conflict, fault.ReasonConflict,
			"so many retired keys are kept for long tokens that no more may be: use the static key, or an hour at most")
	}
	var err error
	for range signings {
		var signed token.Signed
		if signed, err = s.signer.SignBy(ctx, t, shape, call.At, claims); err != nil {
			return Issued{}, err
		}
		row.KID = signed.KID
		if err = s.store.Add(ctx, row, record(call, j.event, row.ID)); err == nil {
			return Issued{Token: row, Text: secret.NewText(signed.Text)}, nil
		}
		if fault.From(err).Kind != fault.Conflict {
			break
		}
	}
	return Issued{}, err
}

// record is an event that names the row of a token; nothing of the token itself.
func record(call *audit.Call, event, id string) audit.Record {
	e := call.Event(secret.NewID(call.At), event)
	e.Detail = map[string]string{"service_token": id}
	return audit.Record{Events: []audit.Event{e}}
}
