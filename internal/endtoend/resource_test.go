package endtoend

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
	"github.com/gatehouse-auth/gatehouse/resource"
)

// onlyKeys fails the test for every request but that for the key set.
type onlyKeys struct {
	t     *testing.T
	url   string
	count atomic.Int32
}

func (k *onlyKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != k.url {
		k.t.Errorf("the verifier asked for %s", r.URL)
		return nil, errors.New("no such host")
	}
	k.count.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// api is somebody else's program that trusts the server's tokens.
type api struct {
	*resource.Verifier
	keys *onlyKeys
}

func newAPI(t *testing.T, s *server.Server, audience string) *api {
	t.Helper()
	// Debian's resolver may not know localhost names; the address is the same.
	url := strings.Replace(s.URL, "localhost", "127.0.0.1", 1) + "/.well-known/jwks.json"
	keys := &onlyKeys{t: t, url: url}
	v, err := resource.New(resource.Config{
		Issuer: "https://login.example.com", Audience: audience, ServiceWithoutAudience: true, JWKSURL: url, HTTP: &http.Client{Transport: keys},
	})
	do(t, err)
	do(t, v.Warm(t.Context()))
	return &api{v, keys}
}

// served calls a route of the API with a bearer token and gives the status.
func served(guard func(http.Handler) http.Handler, token string) int {
	r := httptest.NewRequest(http.MethodPost, "https://api.example.com/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w.Code
}

func audienceOf(t *testing.T, token string) string {
	t.Helper()
	aud, ok := claimsOf(t, token)["aud"].(string)
	if !ok {
		t.Fatal("no single audience")
	}
	return aud
}

// TestResourceServer: an API on the public verifier takes users' tokens of the built server and nothing that was changed (rows 17 and 18).
func TestResourceServer(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		o.Config = oneIssuer
		s := server.Start(t, o)
		p := signUp(t.Context(), t, s, "ada")
		access, _ := bearer(t.Context(), t, p)
		a := newAPI(t, s, audienceOf(t, access))
		tok, err := a.Verify(t.Context(), access)
		do(t, err)
		if c := claimsOf(t, access); tok.Kind != resource.KindUser || tok.Subject != c["sub"] || tok.SessionID != c["sid"] || tok.TenantID != s.TenantID ||
			tok.Email != p.Email || !tok.EmailVerified || tok.ClientID != "demo" || tok.ExpiresAt.Sub(tok.IssuedAt) != 15*time.Minute {
			t.Errorf("%+v", tok)
		}
		for route, want := range map[string]int{"user": 200, "either": 200, "service": 401, "role": 403} {
			guard := map[string]func(http.Handler) http.Handler{
				"user": a.RequireUser(), "either": a.UserOrService(), "service": a.RequireService(), "role": a.RequireUser(resource.Role("admin")),
			}[route]
			if got := served(guard, access); got != want {
				t.Errorf("route %s: %d, want %d", route, got, want)
			}
		}
		for what, forged := range tampered(t, access) {
			if tok, err := a.Verify(t.Context(), forged); err == nil {
				t.Errorf("%s was accepted: %+v", what, tok)
			}
		}
		if n := a.keys.count.Load(); n > 3 {
			t.Errorf("%d fetches", n)
		}
		if other := newAPI(t, s, "another-api"); served(other.RequireUser(), access) != 401 {
			t.Error("a token for one API works at another")
		}
	})
}

// tampered changes a good token in the ways of rows 17 and 18, and its payload.
func tampered(t *testing.T, access string) map[string]string {
	t.Helper()
	parts := strings.Split(access, ".")
	header, payload := part(t, access, 0), part(t, access, 1)
	seg := func(v any) string {
		b, err := json.Marshal(v)
		do(t, err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	with := func(m map[string]any, k string, v any) map[string]any {
		out := map[string]any{}
		for name, value := range m {
			out[name] = value
		}
		out[k] = v
		return out
	}
	out := map[string]string{
		"cut":          access[:len(access)-4],
		"no signature": parts[0] + "." + parts[1] + ".",
		"other typ":    seg(with(header, "typ", "JWT")) + "." + parts[1] + "." + parts[2],
	}
	for _, alg := range []string{"none", "None", "HS256", "ES256", "PS256", ""} {
		out["alg "+alg] = seg(with(header, "alg", alg)) + "." + parts[1] + "." + parts[2]
		out["alg "+alg+", unsigned"] = seg(with(header, "alg", alg)) + "." + parts[1] + "."
	}
	for _, kid := range []string{"../../../dev/null", "' OR 1=1 --", "http://127.0.0.1:1/key", "s-1"} {
		out["kid "+kid] = seg(with(header, "kid", kid)) + "." + parts[1] + "." + parts[2]
	}
	for _, name := range []string{"jku", "x5u"} {
		out[name] = seg(with(header, name, "http://127.0.0.1:1/")) + "." + parts[1] + "." + parts[2]
	}
	for name, value := range map[string]any{"sub": "victim", "source": "microservice", "roles": []string{"admin"}, "exp": time.Now().Unix() + 99999, "sid": "x"} {
		out["claim "+name] = parts[0] + "." + seg(with(payload, name, value)) + "." + parts[2]
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	do(t, err)
	sig[len(sig)-1] ^= 1
	out["signature"] = parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(sig)
	return out
}

// plant writes the mark of a service, and more, into the person's own data and gives a token made after that.
func plant(t *testing.T, p *drill.Person) string {
	t.Helper()
	access, _ := bearer(t.Context(), t, p)
	planted := map[string]any{"source": "microservice", "sessionHandle": "x", "tty": "at", "harmless": "kept"}
	r, err := p.Target.Visitor().With("Authorization", "Bearer "+access).Do(t.Context(), http.MethodPatch, "/me", map[string]any{"data": planted})
	must(t, "writing own data", r, err, http.StatusOK)
	access, _ = bearer(t.Context(), t, p)
	if claimsOf(t, access)["harmless"] != "kept" {
		t.Fatal("the user's data is not in the token: nothing was tried")
	}
	return access
}

// TestPlantedSource is row 25 at a service's door: the mark a user plants does not reach the token; and where the server's own defence is
// switched off, so that it does, the verifier still tells a user from a service.
func TestPlantedSource(t *testing.T) {
	for name, o := range map[string]server.Options{
		"product":  {},
		"weakened": {Binary: server.Build(t, "gatehouse_weak"), Env: []string{"WEAK_GATEHOUSE=reserved-claims"}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Config = oneIssuer // lets users' own data into tokens: the widest opening there is for planted claims
			s := server.Start(t, o)
			access := plant(t, signUp(t.Context(), t, s, "mallory"))
			marked := claimsOf(t, access)["source"] == "microservice"
			if marked != (name == "weakened") {
				t.Fatalf("source in the token: %v", marked)
			}
			a := newAPI(t, s, audienceOf(t, access))
			if got := served(a.RequireService(), access); got != http.StatusUnauthorized {
				t.Fatalf("a user's token with a planted source was answered %d", got)
			}
			want := http.StatusOK
			if marked {
				want = http.StatusUnauthorized // a mixture of kinds is of no kind
			}
			if got := served(a.RequireUser(), access); got != want {
				t.Errorf("as a user's token it was answered %d, want %d", got, want)
			}
		})
	}
}
