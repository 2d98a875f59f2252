package servicetoken

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

type claims = map[string]json.RawMessage

func TestCreate(t *testing.T) {
	r := newRoom(t)
	for _, c := range []struct {
		r    Request
		want string // after iss, tid, sub
	}{
		{Request{}, `"iat":I,"nbf":I,"exp":1d,"jti":J,"source":"microservice"}`},
		{Request{Source: "batch", Audience: []string{"a"}, TTL: time.Hour}, `"aud":"a","iat":I,"nbf":I,"exp":1h,"jti":J,"source":"batch"}`},
		{Request{Claims: claims{"b": []byte(`[1,null,{"x":1e400}]`), "a": []byte(`"é"`), "source": []byte(`"x"`)}, Audience: []string{"a", "b"}, TTL: MaxLife},
			`"aud":["a","b"],"iat":I,"nbf":I,"exp":100y,"jti":J,"a":"é","b":[1,null,{"x":1e400}],"source":"x"}`},
		{Request{Claims: claims{"roles": []byte(`["admin"]`), "scope": []byte(`"a b"`)}}, `"iat":I,"nbf":I,"exp":1d,"jti":J,"source":"microservice","roles":["admin"],"scope":"a b"}`},
	} {
		c.r.Name = "m1"
		made, err := r.Create(t.Context(), r.call(), r.tenant, c.r)
		if err != nil {
			t.Errorf("%+v: %v", c.r, err)
			continue
		}
		want := `{"iss":"` + issuer + `","tid":"` + tenantID + `","sub":"service:m1",` + strings.NewReplacer("I", "2064312000", "1d", "2064398400",
			"1h", "2064315600", "100y", "5217912000", "J", `"`+made.Token.ID+`"`).Replace(c.want)
		if r.m.claims != want {
			t.Errorf("%+v\n%s, want\n%s", c.r, r.m.claims, want)
		}
		good, err := r.Check(t.Context(), r.call(), r.tenant, made.Text.Reveal())
		if err != nil || good.Token.ID != made.Token.ID || good.Source == "" || !kind.Service.Fits(good.Claims) {
			t.Errorf("%+v: %v %+v", c.r, err, good)
		}
		if row := r.m.rows[len(r.m.rows)-1]; row.JTI != row.ID || row.Maker.ID != "ann" || row.Face != "test" || row.KID != "s-1" || strings.Contains(string(row.Claims), made.Text.Reveal()) {
			t.Errorf("row %+v", row)
		}
	}
	if e := r.m.records[0].Events; len(e) != 1 || e[0].Type != EventCreated || e[0].Detail["service_token"] != r.m.rows[0].ID {
		t.Errorf("event %+v", e)
	}
}

func TestCreateRefuses(t *testing.T) {
	r := newRoom(t)
	long := []byte(`"` + strings.Repeat("x", 4000) + `"`)
	for _, c := range []struct {
		field string
		r     Request
	}{
		{"name", Request{}}, {"name", Request{Name: "a b"}}, {"name", Request{Name: "ü"}}, {"name", Request{Name: strings.Repeat("x", 65)}}, {"name", Request{Name: "a\n"}},
		{"ttl", Request{TTL: time.Millisecond}}, {"ttl", Request{TTL: -time.Hour}}, {"ttl", Request{TTL: MaxLife + time.Second}},
		{"key", Request{Key: "both"}}, {"alg", Request{Alg: "none"}}, {"alg", Request{Alg: "ES256"}}, {"alg", Request{Key: token.Rotating, Alg: "HS256"}},
		{"audience", Request{Audience: []string{""}}}, {"audience", Request{Audience: make([]string, 17)}},
		{"source", Request{Source: "a\nb"}}, {"source", Request{Source: "a", Claims: claims{"source": []byte(`"b"`)}}},
		{"claims.source", Request{Claims: claims{"source": []byte(`["microservice"]`)}}}, {"claims.source", Request{Claims: claims{"source": []byte(`""`)}}},
		{"claims.roles", Request{Claims: claims{"roles": []byte(`"admin"`)}}}, {"claims.scope", Request{Claims: claims{"scope": []byte(`1`)}}},
		{"claims.x", Request{Claims: claims{"x": []byte(`{"a":1,"a":2}`)}}}, {"claims.x", Request{Claims: claims{"x": []byte(`1} , {`)}}},
		{"claims.x", Request{Claims: claims{"x": nil}}}, {"claims", Request{Claims: claims{"": []byte(`1`)}}}, {"claims", Request{Claims: claims{"x": long, "y": long}}}, {"claims", Request{Claims: claims{"x": long}, Audience: []string{strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250), strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250), strings.Repeat("z", 250)}}},
		{"claims.Source", Request{Claims: claims{"Source": []byte(`"x"`)}}}, {"claims.\u017fource", Request{Claims: claims{"\u017fource": []byte(`"x"`)}}},
	} {
		if c.field != "name" {
			c.r.Name = "m1"
		}
		_, err := r.Create(t.Context(), r.call(), r.tenant, c.r)
		r.faulty(c.field, err, c.field)
	}
	names := []string{
		"iss", "tid", "sub", "aud", "client_id", "exp", "iat", "nbf", "jti", "sid", "parent_sid", "ep", "email", "email_verified", "preferred_username",
		"applicationId", "auth_time", "amr", "acr", "cnf", "act", "may_act", "tty", "events", "nonce", "azp", "sessionHandle", "refreshTokenHash1",
		"parentRefreshTokenHash1", "antiCsrfToken",
	}
	for _, name := range names {
		for _, spelt := range []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "k", "\u212a")} {
			_, err := r.Create(t.Context(), r.call(), r.tenant, Request{Name: "m1", Claims: claims{spelt: []byte(`"x"`)}})
			r.faulty(spelt, err, "claims."+spelt)
		}
	}
	if len(r.m.rows) != 0 {
		t.Errorf("%d rows of refused requests", len(r.m.rows))
	}
}

// TestWithdrawnMeanwhile: a token whose key was withdrawn before its row stood never leaves; another try signs with the next key.
func TestWithdrawnMeanwhile(t *testing.T) {
	for gone, want := range map[int]bool{0: true, 2: true, 3: false} {
		r := newRoom(t)
		r.m.gone = gone
		made, err := r.Create(t.Context(), r.call(), r.tenant, Request{Name: "m1"})
		if (err == nil) != want || made.Text.IsZero() == want || (len(r.m.rows) == 1) != want {
			t.Errorf("withdrawn %d times: %v", gone, err)
		}
	}
}

// TestKeptKeysAreBounded: so that the JWKS does not grow without end.
func TestKeptKeysAreBounded(t *testing.T) {
	r := newRoom(t)
	r.m.kept = longestKept
	for _, c := range []struct {
		key  token.Kind
		ttl  time.Duration
		good bool
	}{{token.Rotating, 2 * time.Hour, false}, {token.Rotating, time.Hour, true}, {token.Static, MaxLife, true}} {
		_, err := r.Create(t.Context(), r.call(), r.tenant, Request{Name: "m1", Key: c.key, TTL: c.ttl})
		if (err == nil) != c.good || !c.good && !strings.Contains(fault.From(err).Safe, "static key") {
			t.Errorf("%s for %v: %v", c.key, c.ttl, err)
		}
	}
}

func TestRevoke(t *testing.T) {
	r := newRoom(t)
	made, err := r.Create(t.Context(), r.call(), r.tenant, Request{Name: "m1"})
	if err != nil {
		t.Fatal(err)
	}
	twins := make([]string, 2)
	for i := range twins {
		if twins[i], err = r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: "https://api.example.com", Payload: []byte(`{"jti":"twin","source":"x"}`), Validity: 60}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Revoke(t.Context(), r.call(), r.tenant, "absent"); fault.From(err).Kind != fault.NotFound {
		t.Errorf("an unknown token: %v", err)
	}
	before := len(r.m.records)
	for range 2 {
		if got, err := r.Revoke(t.Context(), r.call(), r.tenant, made.Token.ID); err != nil || len(got) != 1 || got[0].RevokedAt != noon {
			t.Fatalf("%v %v", got, err)
		}
	}
	if len(r.m.records) != before+1 {
		t.Errorf("%d records of two revocations", len(r.m.records)-before)
	}
	want := audit.Revocation{TenantID: tenantID, Kind: "token", Target: made.Token.JTI, At: noon, Reason: "service_token_revoked", Until: made.Token.ExpiresAt}
	if rec := r.m.records[before]; len(rec.Revocations) != 1 || rec.Revocations[0] != want || rec.Events[0].Type != EventRevoked || rec.Events[0].Actor.ID != "ann" {
		t.Errorf("record %+v", rec)
	}
	if _, err := r.Check(t.Context(), r.call(), r.tenant, made.Text.Reveal()); fault.ReasonOf(err) != fault.ReasonTokenRevoked {
		t.Errorf("a revoked token: %v", err)
	}
	if _, err := r.Check(t.Context(), r.call(), r.tenant, twins[0]); err != nil {
		t.Errorf("another token: %v", err)
	}
	row := r.m.rows[1].ID
	if got, err := r.Revoke(t.Context(), r.call(), r.tenant, row); err != nil || len(got) != 1 {
		t.Fatalf("%v %v", got, err)
	}
	for _, twin := range twins { // the feed names the jti: both are dead
		if _, err := r.Check(t.Context(), r.call(), r.tenant, twin); fault.ReasonOf(err) != fault.ReasonTokenRevoked {
			t.Errorf("a token of a revoked jti: %v", err)
		}
	}
	if got, err := r.Revoke(t.Context(), r.call(), r.tenant, "twin"); err != nil || len(got) != 2 || got[1].RevokedAt.IsZero() {
		t.Errorf("by jti: %v %v", got, err)
	}
}

// TestCheckWantsARow: a token that is signed by our keys and stands in no list (an ID token, say) is no service's.
func TestCheckWantsARow(t *testing.T) {
	r := newRoom(t)
	made, err := r.Create(t.Context(), r.call(), r.tenant, Request{Name: "m1"})
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.Clone(r.m.rows)
	for what, change := range map[string]func(){
		"no row": func() { r.m.rows = nil }, "a row of another tenant": func() { r.m.rows[0].TenantID = "2" },
		"a row of another key": func() { r.m.rows[0].KID = "s-2" }, "a row of another issuer": func() { r.m.rows[0].Issuer = "x" },
	} {
		r.m.rows = slices.Clone(rows)
		change()
		if _, err := r.Check(t.Context(), r.call(), r.tenant, made.Text.Reveal()); fault.ReasonOf(err) != fault.ReasonInvalidToken {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.m.rows = rows
	late := r.call()
	late.At = noon.Add(DefaultLife)
	if _, err := r.Check(t.Context(), late, r.tenant, made.Text.Reveal()); fault.ReasonOf(err) != fault.ReasonTokenExpired {
		t.Errorf("an expired token: %v", err)
	}
	if s := made.Token.State(late.At); s != "expired" {
		t.Errorf("state %s", s)
	}
}

func TestListPages(t *testing.T) {
	r := newRoom(t)
	for range 5 {
		call := r.call()
		call.At = noon.Add(time.Duration(len(r.m.rows)) * time.Second)
		if _, err := r.Create(t.Context(), call, r.tenant, Request{Name: "m1"}); err != nil {
			t.Fatal(err)
		}
	}
	var seen int
	q := Query{Limit: 2}
	for pages := 1; ; pages++ {
		page, next, err := r.List(t.Context(), r.call(), q)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page)
		if next == "" {
			if seen != 5 || pages != 3 {
				t.Errorf("%d tokens on %d pages", seen, pages)
			}
			return
		}
		q.After = next
	}
}
