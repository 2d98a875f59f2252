package loginapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// minter plays the room of services' tokens.
type minter struct{ f *fake }

func serviceToken() servicetoken.Token {
	return servicetoken.Token{
		ID: sidOne, JTI: sidOne, Name: "m1", Issuer: "https://login.example.com", Claims: json.RawMessage(`{"source":"microservice","a":1}`), Key: "static",
		KID: "s-1", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), Face: "operator", Maker: audit.Actor{Kind: "operator", ID: "ann"},
	}
}

func (m minter) Create(_ context.Context, call *audit.Call, t *tenant.Tenant, r servicetoken.Request) (servicetoken.Issued, error) {
	m.f.call = *call
	m.f.called += fmt.Sprintf("create %s %s %v %s %s %s ", t.ID, r.Name, r.TTL, r.Key, r.Source, r.Claims["a"])
	return servicetoken.Issued{Token: serviceToken(), Text: secret.NewText("the.service.token")}, m.f.fail
}

func (m minter) List(_ context.Context, _ *audit.Call, q servicetoken.Query) ([]servicetoken.Token, string, error) {
	m.f.called += fmt.Sprintf("list %s %d %s ", q.TenantID, q.Limit, q.After)
	return []servicetoken.Token{serviceToken()}, sidOne, m.f.fail
}

func (m minter) Revoke(_ context.Context, _ *audit.Call, t *tenant.Tenant, name string) ([]servicetoken.Token, error) {
	m.f.called += "revoke " + t.ID + " " + name + " "
	return nil, m.f.fail
}

func (m minter) Check(_ context.Context, _ *audit.Call, _ *tenant.Tenant, raw string) (servicetoken.Good, error) {
	if raw != "the.service.token" {
		return servicetoken.Good{}, fault.New(fault.Unauthenticated, fault.ReasonTokenRevoked, "revoked")
	}
	members, err := strictjson.Object([]byte(`{"iss":"i","tid":"t","sub":"service:m1","scope":"a","roles":["r"],"source":"x","n":1e2}`), strictjson.Limits{})
	return servicetoken.Good{
		Token: serviceToken(), Source: "x", Claims: &jose.Token{Issuer: "i", Subject: "service:m1", ID: "j", ExpiresAt: noon, Claims: members},
	}, err
}

func TestServiceTokenCalls(t *testing.T) {
	b := newBench(t)
	const path = "/internal/service-tokens"
	r, body := b.ask("POST", path, `{"name":"m1","ttl_s":3153600000,"key":"rotating","source":"s","claims":{"a":[1,null]}}`, service)
	if r.StatusCode != 201 || b.called != "create t-main m1 876000h0m0s rotating s [1,null] " || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", r.StatusCode, b.called, r.Header)
	}
	want := `{"id":"` + sidOne + `","jti":"` + sidOne + `","name":"m1","state":"good","iss":"https://login.example.com","claims":{"source":"microservice","a":1},` +
		`"key":"static","kid":"s-1","created_at":"` + instant(noon) + `","expires_at":"` + instant(noon.Add(time.Hour)) + `",` +
		`"made_by":{"face":"operator","kind":"operator","id":"ann"}`
	if body != want+`,"token":"the.service.token"}` {
		t.Errorf("made: %s", body)
	}
	if b.call.Actor.Kind != "service" {
		t.Errorf("actor %+v", b.call.Actor)
	}
	r, body = b.ask("GET", path+"?limit=7", "", service)
	if r.StatusCode != 200 || body != `{"items":[`+want+`}],"next":"`+cursor(sidOne)+`"}` || b.called != "list t-main 7  " {
		t.Errorf("list: %d %s %s", r.StatusCode, body, b.called)
	}
	if _, _ = b.ask("GET", path+"?after="+cursor(sidOne), "", service); b.called != "list t-main 50 "+sidOne+" " {
		t.Errorf("second page: %s", b.called)
	}
	if r, _ = b.ask("DELETE", path+"/some-jti", "", service); r.StatusCode != 204 || b.called != "revoke t-main some-jti " {
		t.Errorf("revoke: %d %s", r.StatusCode, b.called)
	}
	for _, bad := range []string{`{}`, `{"name":"m1","ttl_s":0}`, `{"name":"m1","ttl_s":3153600001}`, `{"name":"m1","ttl_s":-1}`, `{"name":"m1","claims":[]}`, `{"name":"m1","ttl_s":1.5}`} {
		if r, body := b.ask("POST", path, bad, service); r.StatusCode != 400 || b.called != "" {
			t.Errorf("%s: %d %s", bad, r.StatusCode, body)
		}
	}
	for _, heads := range []string{"X-Internal-Api-Key: gk_wrong", bearer, cookies} {
		for _, call := range [][2]string{{"POST", path}, {"GET", path}, {"DELETE", path + "/x"}} {
			if r, got := b.ask(call[0], call[1], "", heads); r.StatusCode != 401 || b.called != "" || reasonOf(got) != "invalid_internal_key" {
				t.Errorf("%v with %s: %d %s", call, heads, r.StatusCode, b.called)
			}
		}
	}
}

func TestVerifyServiceToken(t *testing.T) {
	b := newBench(t)
	_, body := b.ask("POST", "/internal/token/verify", `{"token":"the.service.token"}`, service)
	want := fmt.Sprintf(`{"active":true,"kind":"service","token_type":"Bearer","scope":"a","exp":%d,"sub":"service:m1","iss":"i","jti":"j","tid":"t","roles":["r"],"source":"x","extra":{"n":1e2}}`, noon.Unix())
	if body != want {
		t.Errorf("%s, want\n%s", body, want)
	}
	if _, body = b.ask("POST", "/internal/token/verify", `{"token":"the.access.token"}`, service); !strings.Contains(body, `"kind":"user"`) {
		t.Errorf("a user's token: %s", body)
	}
}
