package oauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// checkCases break one rule each, by the name of the check that must notice.
var checkCases = map[string][]struct {
	name   string
	change func(*oauth.Params)
	want   fault.Reason
}{
	"client_id": {{"absent", func(p *oauth.Params) { p.ClientID = "" }, fault.ReasonOAuthRequest}},
	"client known": {
		{"unknown", func(p *oauth.Params) { p.ClientID = "nobody" }, fault.ReasonUnknownClient},
	},
	"redirect_uri": {{"absent", func(p *oauth.Params) { p.RedirectURI = "" }, fault.ReasonOAuthRedirectURI}},
	"redirect_uri registered": {
		{"foreign", func(p *oauth.Params) { p.RedirectURI = "https://attacker.example/callback" }, fault.ReasonOAuthRedirectURI},
		{"longer", func(p *oauth.Params) { p.RedirectURI += "/x" }, fault.ReasonOAuthRedirectURI},
		{"another port of a fixed one", func(p *oauth.Params) { p.RedirectURI = "http://127.0.0.1:7778/fixed" }, fault.ReasonOAuthRedirectURI},
	},
	"parameters readable and once": {
		{"twice", func(p *oauth.Params) { p.Unread = []string{"scope"} }, fault.ReasonOAuthRequest},
	},
	"no request object": {
		{"request", func(p *oauth.Params) { p.Unsupported = []string{"request"} }, fault.ReasonOAuthObject},
		{"registration", func(p *oauth.Params) { p.Unsupported = []string{"registration"} }, fault.ReasonOAuthRegistration},
	},
	"response_type": {
		{"absent", func(p *oauth.Params) { p.ResponseType = "" }, fault.ReasonOAuthRequest},
		{"implicit", func(p *oauth.Params) { p.ResponseType = "token" }, fault.ReasonOAuthResponseType},
		{"hybrid", func(p *oauth.Params) { p.ResponseType = "code id_token" }, fault.ReasonOAuthResponseType},
	},
	"response_mode": {{"fragment", func(p *oauth.Params) { p.ResponseMode = "fragment" }, fault.ReasonOAuthRequest}},
	"client may use codes": {
		{"machine", func(p *oauth.Params) { p.ClientID = "machine" }, fault.ReasonOAuthUnauthorized},
	},
	"pushed when it must be": {
		{"not pushed", func(p *oauth.Params) { p.ClientID = "par" }, fault.ReasonOAuthRequest},
		{"says so itself", func(p *oauth.Params) { p.ClientID, p.Pushed = "par", true }, fault.ReasonOAuthRequest},
	},
	"scope": {
		{"of another client", func(p *oauth.Params) { p.Scope = []string{"openid", "orders"} }, fault.ReasonOAuthScope},
		{"with a quote", func(p *oauth.Params) { p.Scope = []string{`a"b`} }, fault.ReasonOAuthScope},
	},
	"PKCE present": {
		{"confidential", func(p *oauth.Params) { p.CodeChallenge, p.CodeChallengeMethod = "", "" }, fault.ReasonOAuthRequest},
		{"public", func(p *oauth.Params) { p.ClientID, p.CodeChallenge, p.CodeChallengeMethod = "public", "", "" }, fault.ReasonOAuthRequest},
		{"public, said to be optional", func(p *oauth.Params) { p.ClientID, p.CodeChallenge, p.CodeChallengeMethod = "laxpublic", "", "" }, fault.ReasonOAuthRequest},
	},
	"PKCE method": {
		{"plain", func(p *oauth.Params) { p.CodeChallengeMethod = "plain" }, fault.ReasonOAuthRequest},
		{"absent, which means plain", func(p *oauth.Params) { p.CodeChallengeMethod = "" }, fault.ReasonOAuthRequest},
		{"plain where PKCE is optional", func(p *oauth.Params) { p.ClientID, p.CodeChallengeMethod = "lax", "plain" }, fault.ReasonOAuthRequest},
		{"without a challenge", func(p *oauth.Params) { p.ClientID, p.CodeChallenge = "lax", "" }, fault.ReasonOAuthRequest},
	},
	"PKCE challenge": {
		{"short", func(p *oauth.Params) { p.CodeChallenge = "abc" }, fault.ReasonOAuthRequest},
		{"padded", func(p *oauth.Params) { p.CodeChallenge += "=" }, fault.ReasonOAuthRequest},
		{"not base64url", func(p *oauth.Params) { p.CodeChallenge = strings.Repeat("+", 43) }, fault.ReasonOAuthRequest},
	},
	"nonce without PKCE": {
		{"absent", func(p *oauth.Params) {
			p.ClientID, p.CodeChallenge, p.CodeChallengeMethod, p.Nonce = "lax", "", "", ""
		}, fault.ReasonOAuthRequest},
	},
	"prompt": {
		{"unknown", func(p *oauth.Params) { p.Prompt = []string{"create"} }, fault.ReasonOAuthRequest},
		{"none and more", func(p *oauth.Params) { p.Prompt = []string{"none", "login"} }, fault.ReasonOAuthRequest},
	},
	"resource": {
		{"not allowed", func(p *oauth.Params) { p.Resource = []string{"https://api.example.com"} }, fault.ReasonOAuthTarget},
		{"no URI", func(p *oauth.Params) { p.ClientID, p.Resource = "third", []string{"api"} }, fault.ReasonOAuthTarget},
		{"with a fragment", func(p *oauth.Params) { p.ClientID, p.Resource = "third", []string{"https://api.example.com#x"} }, fault.ReasonOAuthTarget},
		{"one of two", func(p *oauth.Params) {
			p.ClientID, p.Resource = "third", []string{"https://api.example.com", "https://b.example.com"}
		}, fault.ReasonOAuthTarget},
	},
	"id_token_hint": {
		{"rubbish", func(p *oauth.Params) { p.IDTokenHint = "rubbish" }, fault.ReasonOAuthRequest},
		{"of another client", func(p *oauth.Params) { p.IDTokenHint = "ada other" }, fault.ReasonOAuthRequest},
	},
	"dpop_jkt": {{"short", func(p *oauth.Params) { p.DPoPKey = "abc" }, fault.ReasonOAuthRequest}},
}

// TestEveryCheck: each named check has cases that it refuses, by a page or by redirect as it says, with state and issuer; and every check
// of the list is tested.
func TestEveryCheck(t *testing.T) {
	w := onSQLite(t)
	for _, check := range oauth.Checks() {
		cases := checkCases[check.Name]
		if len(cases) == 0 || check.Where == "" {
			t.Errorf("check %q: no case, or no section", check.Name)
		}
		for _, c := range cases {
			t.Run(check.Name+"/"+c.name, func(t *testing.T) {
				_, err := w.s.Begin(t.Context(), w.call("b"), w.tenant, with(c.change))
				refusedFor(t, err, c.want)
				back, redirects := isRedirect(err)
				if redirects == check.Page {
					t.Fatalf("redirects: %v, though it should show a page: %v", redirects, check.Page)
				}
				if redirects && (back.Reply.RedirectURI != appCallback || back.Reply.Params.Get("error") != string(c.want) ||
					back.Reply.Params.Get("state") != "xyz" || back.Reply.Params.Get("iss") != issuer || back.Reply.Params.Has("code")) {
					t.Fatalf("%+v", back.Reply)
				}
				p := with(c.change)
				client := w.clients.Client("", p.ClientID)
				if client == nil || check.Name == "pushed when it must be" {
					return
				}
				want := c.want // the same rules hold for what is pushed, and the answer never is a redirect
				if want == fault.ReasonOAuthRedirectURI {
					want = fault.ReasonOAuthRequest
				}
				_, _, err = w.s.Push(t.Context(), w.call(""), w.tenant, client, p)
				refusedFor(t, err, want)
				if _, redirects := isRedirect(err); redirects {
					t.Fatal("a push was refused by redirect")
				}
			})
		}
	}
	for name := range checkCases {
		found := false
		for _, check := range oauth.Checks() {
			found = found || check.Name == name
		}
		if !found {
			t.Errorf("cases of %q, which is no check", name)
		}
	}
}

// TestGoodRequests: what the RFCs allow passes.
func TestGoodRequests(t *testing.T) {
	w := onSQLite(t)
	maxAge := int64(0)
	for name, change := range map[string]func(*oauth.Params){
		"as it is":           func(*oauth.Params) {},
		"form_post":          func(p *oauth.Params) { p.ResponseMode = "form_post" },
		"no state, no scope": func(p *oauth.Params) { p.State, p.Scope = "", nil },
		"public":             func(p *oauth.Params) { p.ClientID = "public" },
		"optional PKCE":      func(p *oauth.Params) { p.ClientID, p.CodeChallenge, p.CodeChallengeMethod = "lax", "", "" },
		"plain OAuth, no PKCE": func(p *oauth.Params) {
			p.ClientID, p.CodeChallenge, p.CodeChallengeMethod, p.Nonce, p.Scope = "lax", "", "", "", nil
		},
		"custom scope, resource": func(p *oauth.Params) {
			p.ClientID, p.Scope, p.Resource = "third", []string{"orders"}, []string{"https://api.example.com"}
		},
		"hint": func(p *oauth.Params) { p.IDTokenHint = "ada app" },
		"everything": func(p *oauth.Params) {
			p.MaxAge, p.Prompt, p.LoginHint, p.DPoPKey = &maxAge, []string{"login", "consent"}, "x", challenge
		},
		"loopback, any port":    func(p *oauth.Params) { p.RedirectURI = "http://127.0.0.1:51004/cb" },
		"loopback v6, any port": func(p *oauth.Params) { p.RedirectURI = "http://[::1]:1/cb" },
		"localhost, any port":   func(p *oauth.Params) { p.RedirectURI = "http://localhost:65535/cb" },
		"loopback, no port":     func(p *oauth.Params) { p.RedirectURI = "http://localhost/cb" },
		"fixed port":            func(p *oauth.Params) { p.RedirectURI = "http://127.0.0.1:7777/fixed" },
		"private-use scheme":    func(p *oauth.Params) { p.RedirectURI = "com.example.app:/cb" },
	} {
		r, err := w.s.Begin(t.Context(), w.call("b"), w.tenant, with(change))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := w.s.Peek(t.Context(), w.call("b"), w.tenant, r.ID, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What means nothing here is left out, not refused.
	r := w.begin("b", with(func(p *oauth.Params) { p.Scope = []string{"openid", "phone", "offline_access", "address"} }))
	if got := strings.Join(r.Params.Scope, " "); got != "openid offline_access" {
		t.Errorf("scope %q", got)
	}
}

// TestNoCookieNoRequest: a request that belongs to no browser could be finished by any.
func TestNoCookieNoRequest(t *testing.T) {
	w := onSQLite(t)
	_, err := w.s.Begin(t.Context(), w.call(""), w.tenant, good())
	refusedFor(t, err, fault.ReasonOAuthRequest)
	if _, redirects := isRedirect(err); redirects {
		t.Fatal("redirected")
	}
}

// TestRedirectTricks: of a corpus of well over 200 disguises none leaves the list, for each kind of address that may stand there.
func TestRedirectTricks(t *testing.T) {
	w := onSQLite(t)
	for _, registered := range []string{appCallback, "http://127.0.0.1/cb", "http://localhost/cb", "http://[::1]/cb"} {
		tricks := drill.RedirectTricks(registered)
		if len(tricks) < 200 {
			t.Fatalf("a corpus of %d", len(tricks))
		}
		for _, trick := range tricks {
			c := *w.clients.Client("", "app")
			c.Settings.RedirectURIs = []string{registered}
			w.clients.put(c)
			_, err := w.s.Begin(t.Context(), w.call("b"), w.tenant, with(func(p *oauth.Params) { p.RedirectURI = trick }))
			if back, redirects := isRedirect(err); err == nil || redirects {
				t.Errorf("%q passes for %q (%v)", trick, registered, back)
			}
		}
	}
}

// TestParseParams: what cannot be read is noted by name, and a parameter without a value is none.
func TestParseParams(t *testing.T) {
	for query, want := range map[string]string{
		"scope=a&scope=b": "scope", "state=a&state=a": "state", "client_id=a&client_id=b": "client_id", "max_age=x": "max_age", "max_age=-1": "max_age",
		"max_age=1.5": "max_age", "max_age=%2B1": "max_age", "max_age=99999999999": "max_age", "max_age=0": "", "scope=": "",
		"state=" + strings.Repeat("x", 4097): "state", "state=" + strings.Repeat("x", 4096): "", "nonce=%01": "nonce", "nonce=%7f": "nonce", "login_hint=%C3%BC": "",
		"resource=a&resource=b": "", "resource=" + strings.Repeat("x", 2049): "resource", "scope=" + strings.Repeat("a%20", 400): "",
		"prompt=" + manyWords(33): "prompt", "prompt=" + manyWords(32): "",
	} {
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(oauth.ParseParams(form).Unread, " "); got != want {
			t.Errorf("%.40s: unread %q, want %q", query, got, want)
		}
	}
}

func manyWords(n int) string {
	var words []string
	for i := range n {
		words = append(words, "w"+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	return strings.Join(words, "%20")
}

// FuzzBegin: whatever is asked, the answer is a request, a page or a redirect to the registered address; never a fault of ours.
func FuzzBegin(f *testing.F) {
	f.Add("client_id=app&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&response_type=code&code_challenge=" + challenge + "&code_challenge_method=S256")
	f.Add("client_id=third&redirect_uri=http://127.0.0.1:1/cb&scope=orders&resource=https://api.example.com&max_age=0&prompt=none")
	f.Add("request_uri=urn:ietf:params:oauth:request_uri:x&client_id=par")
	w := onSQLite(f)
	registered := w.clients.Client("", "app").Settings.RedirectURIs
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		_, err = w.s.Begin(t.Context(), w.call("b"), w.tenant, oauth.ParseParams(form))
		if err != nil && fault.From(err).Kind != fault.Invalid {
			t.Fatalf("%q: %v", query, err)
		}
		back, redirects := isRedirect(err)
		if !redirects {
			return
		}
		to := back.Reply.RedirectURI
		for _, r := range registered {
			u, err := url.Parse(to)
			if to == r || err == nil && u.Port() != "" && strings.Replace(to, ":"+u.Port(), "", 1) == r {
				return
			}
		}
		t.Fatalf("%q leads to %q", query, to)
	})
}
