package servicetoken

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// VendRequest asks for a token whose claims the caller made.
type VendRequest struct {
	Issuer   string     // iss, unless the payload has its own
	Payload  []byte     // a JSON object; nil is an empty one
	Validity int64      // seconds
	Key      token.Kind // "" is Static
}

const (
	maxPayload = 5 << 10 // bytes; the token stays below what verifiers and headers take
	maxIssuer  = 1024    // characters
)

// barred are claims that a caller's payload may not have: with one of them the token could pass for a user's, a session's or a token of
// another kind, or stand for the wrong tenant. A verifier that looks at source alone must be able to trust the rest.
var barred = []string{
	"tid", "sid", "parent_sid", "ep", "tty", "cnf", "events", "act", "may_act",
	"sessionHandle", "refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken",
}

// checked are claims that are judged by their exact names. Another spelling of one is refused: libraries that fold letter case, such as
// encoding/json, would read "ISS" as a second iss and take it for the first.
var checked = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

func isBarred(name string) bool {
	same := func(b string) bool { return strings.EqualFold(b, name) }
	return !weak.Off("reserved-claims") && (slices.ContainsFunc(barred, same) || slices.ContainsFunc(checked, same) && !slices.Contains(checked, name))
}

// Vend signs the claims of a caller of another dialect: iat, exp and iss, and the payload on top, whose values stay as they were written.
// A jti is added when there is none. The token is signed with RS256 and typ JWT, recorded, listed and revocable like every other. What
// would let it pass for the token of a user or of a session is refused, with the field named: an iss that is the issuer of any tenant here,
// and the claims of another kind of token. Errors are fault.Invalid with a field: payload, payload.<claim>, issuer, validity, key.
func (s *Service) Vend(ctx context.Context, call *audit.Call, t *tenant.Tenant, r VendRequest) (string, error) {
	shape, err := shapeOf(r.Key, "")
	if err != nil {
		return "", err
	}
	row := s.row(call, t, shape.Key)
	v := vended{row: &row, issuer: r.Issuer}
	if err := v.read(r); err != nil {
		return "", err
	}
	if row.Issuer != "" && !oneLine(row.Issuer, maxIssuer) {
		return "", invalid(v.issuerField(), "must be a line of at most 1024 characters")
	}
	if s.ours(row.Issuer) {
		return "", invalid(v.issuerField(), "is the issuer of a tenant here; only this server makes tokens in its name")
	}
	issued, err := s.issue(ctx, call, t, row, job{shape, v.body.done(), EventVended})
	if err != nil {
		return "", err
	}
	return issued.Text.Reveal(), nil
}

// vended reads a payload into a row and the claims to sign.
type vended struct {
	row    *Token
	issuer string
	own    map[string]bool // names in the payload
	body   object
}

func (v *vended) issuerField() string {
	if v.own["iss"] {
		return "payload.iss"
	}
	return "issuer"
}

func (v *vended) read(r VendRequest) error {
	if len(r.Payload) == 0 {
		r.Payload = []byte("{}")
	}
	members, err := strictjson.Object(r.Payload, strictjson.Limits{Bytes: maxPayload})
	if err != nil {
		return fault.Wrap(fault.Invalid, fault.ReasonInvalid, "the field payload must be a JSON object of at most 5 KiB",
			err).WithFields(fault.Field{Name: "payload", Message: "must be a JSON object of at most 5 KiB"})
	}
	if r.Validity < 1 || r.Validity > MaxSeconds {
		return invalid("validity", "must be 1 to 3153600000 seconds")
	}
	v.row.JTI, v.row.Issuer, v.row.ExpiresAt = v.row.ID, r.Issuer, v.row.CreatedAt.Add(time.Duration(r.Validity)*time.Second)
	v.own = map[string]bool{}
	for _, m := range members {
		v.own[m.Name] = true
		if err := v.member(m); err != nil {
			return err
		}
	}
	v.write(members)
	return nil
}

// member checks one claim and takes over those that the row tells too.
func (v *vended) member(m strictjson.Member) error {
	field := "payload." + m.Name
	var ok bool
	switch m.Name {
	case "iss":
		if v.row.Issuer, ok = m.Text(); !ok {
			return invalid(field, "must be text")
		}
	case "jti":
		if v.row.JTI, ok = m.Text(); !ok || !oneLine(v.row.JTI, maxAudience) {
			return invalid(field, "must be a line of 1 to 256 characters")
		}
	case "exp":
		seconds, ok := m.Int()
		if !ok || seconds < 1 || seconds > v.row.CreatedAt.Unix()+MaxSeconds {
			return invalid(field, "must be a whole number of seconds, at most 100 years from now")
		}
		v.row.ExpiresAt = time.Unix(seconds, 0).UTC()
	case "iat", "nbf":
		if _, ok := m.Int(); !ok {
			return invalid(field, "must be a whole number of seconds")
		}
	case "sub":
		if _, ok := m.Text(); !ok {
			return invalid(field, "must be text")
		}
	case "aud":
		return v.audience(m)
	}
	if isBarred(m.Name) {
		return invalid(field, "is reserved for tokens of users and sessions")
	}
	return nil
}

func (v *vended) audience(m strictjson.Member) error {
	if one, ok := m.Text(); ok {
		v.row.Audience = []string{one}
		return nil
	}
	many, ok := m.Texts()
	if !ok || len(many) > maxAudiences {
		return invalid("payload.aud", "must be text or a list of at most 16 texts")
	}
	v.row.Audience = many
	return nil
}

// write puts our claims first and the payload after them, value by value as it came: a number too long for a float stays what it is.
func (v *vended) write(members []strictjson.Member) {
	if !v.own["iat"] {
		v.body.seconds("iat", v.row.CreatedAt)
	}
	if !v.own["exp"] {
		v.body.seconds("exp", v.row.ExpiresAt)
	}
	if !v.own["iss"] {
		v.body.text("iss", v.row.Issuer)
	}
	if !v.own["jti"] {
		v.body.text("jti", v.row.JTI)
	}
	var kept object
	for _, m := range members {
		v.body.raw(m.Name, m.Value)
		if !slices.Contains([]string{"iss", "jti", "exp", "iat", "nbf", "aud"}, m.Name) {
			kept.raw(m.Name, m.Value)
		}
	}
	v.row.Claims = json.RawMessage(kept.done())
}

// ours reports whether an issuer is that of a tenant here, or so near to one that a verifier which is not exact takes it for it.
func (s *Service) ours(issuer string) bool {
	near := nearly(issuer)
	return !weak.Off("reserved-claims") && slices.ContainsFunc(s.tenants.All(), func(t *tenant.Tenant) bool { return nearly(t.Issuer) == near })
}

func nearly(issuer string) string {
	issuer = strings.TrimRight(strings.TrimSpace(issuer), "/")
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return strings.ToLower(issuer)
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return strings.ToLower(u.Scheme) + "://" + host + strings.ToLower(u.Path)
}
