package servicetoken

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	tenantID = "01890a5d-ac96-774b-bcce-b302099a8057"
	issuer   = "https://login.example.com"
)

var noon = time.Date(2035, 6, 1, 12, 0, 0, 123457000, time.UTC)

// memory is a Store, and the Signer too: with one key of each kind.
type memory struct {
	mu      sync.Mutex
	rows    []Token
	records []audit.Record
	gone    int // so many Adds find the key withdrawn
	kept    int
	claims  string // last signed
}

func (m *memory) Add(_ context.Context, t Token, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone > 0 {
		m.gone--
		return fault.New(fault.Conflict, fault.ReasonConflict, "withdrawn")
	}
	m.rows, m.records = append(m.rows, t), append(m.records, rec)
	return nil
}

func (m *memory) List(_ context.Context, q Query) (out []Token, _ error) {
	for _, t := range slices.Backward(m.rows) {
		if t.TenantID == q.TenantID && (q.After == "" || t.ID < q.After) && len(out) < q.Limit {
			out = append(out, t)
		}
	}
	return out, nil
}

func (m *memory) Find(_ context.Context, tenantID, name string) (out []Token, _ error) {
	for _, t := range m.rows {
		if t.TenantID == tenantID && (t.ID == name || t.JTI == name) {
			out = append(out, t)
		}
	}
	return out, nil
}

func (m *memory) Revoke(_ context.Context, _ string, ids []string, at time.Time, rec audit.Record) (n int, _ error) {
	for i := range m.rows {
		if slices.Contains(ids, m.rows[i].ID) && m.rows[i].RevokedAt.IsZero() {
			m.rows[i].RevokedAt = at
			n++
		}
	}
	if n > 0 {
		m.records = append(m.records, rec)
	}
	return n, nil
}

func (m *memory) Purge(context.Context, string, time.Time, int) (int, error) { return 0, nil }

var keys = sync.OnceValue(func() map[string]*jose.PrivateKey {
	out := map[string]*jose.PrivateKey{}
	for _, alg := range jose.Algs() {
		k, err := jose.Generate("d-"+alg, alg)
		if err != nil {
			panic(err)
		}
		out[alg] = k
	}
	k, err := jose.Generate("s-1", jose.RS256)
	if err != nil {
		panic(err)
	}
	out["static"] = k
	return out
})

func (m *memory) SignBy(_ context.Context, _ *tenant.Tenant, shape token.Shape, _ time.Time, claims []byte) (token.Signed, error) {
	k := keys()["static"]
	if shape.Key == token.Rotating {
		k = keys()[shape.Alg]
	}
	stamp, err := jose.NewVersionStamp(k, shape.Type, shape.Version)
	if err != nil {
		return token.Signed{}, err
	}
	m.claims = string(claims)
	text, err := stamp.Sign(claims)
	return token.Signed{Text: text, KID: k.KID(), Alg: k.Alg()}, err
}

func (m *memory) Read(_ *tenant.Tenant, q token.Query, raw string, at time.Time) (*jose.Token, error) {
	known := jose.Keys{}
	for _, k := range keys() {
		known[k.KID()] = k.Public()
	}
	tok, err := jose.Verify(jose.Rules{Types: q.Usage.Types, AnyIssuer: q.Issuer == "", Issuer: q.Issuer}, known, raw, at)
	if err == nil && !q.Usage.Fits(tok) {
		err = fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "kind")
	}
	return tok, err
}

func (m *memory) Kept(string, time.Time) int { return m.kept }

// All is every tenant.
func (m *memory) All() []*tenant.Tenant {
	return []*tenant.Tenant{{ID: tenantID, Issuer: issuer}, {ID: "2", Issuer: "https://other.example.com/t/two"}, {ID: "3", Issuer: "plain text"}}
}

type room struct {
	*Service
	m *memory
	*testing.T
	tenant *tenant.Tenant
}

func newRoom(t *testing.T) *room {
	m := &memory{}
	return &room{m: m, Service: New(m, m, m), T: t, tenant: m.All()[0]}
}

func (r *room) call() *audit.Call {
	return &audit.Call{At: noon, Wall: noon, TenantID: tenantID, Face: "test", Actor: audit.Actor{Kind: "operator", ID: "ann"}}
}

// faulty wants a refusal that names the field.
func (r *room) faulty(what string, err error, field string) {
	r.Helper()
	f := fault.From(err)
	if err == nil || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != field {
		r.Errorf("%s: %v, want a fault of the field %s", what, err, field)
	}
}
