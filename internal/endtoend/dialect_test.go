package endtoend

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// dialect is a way to open a session at the target's client and to refresh it. The rules are one engine's and hold in each.
type dialect struct {
	name    string
	open    func(ctx context.Context, t *testing.T, s *server.Server, p *drill.Person) (access, refresh string)
	refresh func(ctx context.Context, s *server.Server, token string) (*drill.Reply, error)
	refused int // status of a refusal
}

var dialects = []dialect{
	{"login API", func(ctx context.Context, t *testing.T, _ *server.Server, p *drill.Person) (string, string) {
		return bearer(ctx, t, p)
	},
		func(ctx context.Context, s *server.Server, token string) (*drill.Reply, error) {
			return s.Refresh(ctx, "", token)
		}, 401},
	{"OAuth", openByCode, func(ctx context.Context, s *server.Server, token string) (*drill.Reply, error) {
		return tokenOf(ctx, s, refreshing(token))
	}, 400},
}

// eachDialect runs a test in each.
func eachDialect(t *testing.T, test func(t *testing.T, d dialect)) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) { test(t, d) })
	}
}

// tokenOf asks the token endpoint as the target's client, which is confidential where it has a secret.
func tokenOf(ctx context.Context, s *server.Server, form url.Values) (*drill.Reply, error) {
	v := s.Visitor()
	if s.Secret == "" {
		return v.Post(ctx, "/oauth2/token", but(form, "client_id", s.ClientID))
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, nil)
	if err != nil {
		return nil, err
	}
	q.SetBasicAuth(url.QueryEscape(s.ClientID), url.QueryEscape(s.Secret))
	return v.With("Authorization", q.Header.Get("Authorization")).Post(ctx, "/oauth2/token", form)
}

// openByCode signs the person on in a fresh browser and exchanges the code.
func openByCode(ctx context.Context, t *testing.T, s *server.Server, p *drill.Person) (access, refresh string) {
	t.Helper()
	to, err := p.SignOn(ctx, s.Visitor(), map[string]string{"prompt": "", "scope": "openid email profile offline_access"})
	do(t, err)
	r, err := tokenOf(ctx, s, values("grant_type", "authorization_code", "code", to.Query().Get("code"), "redirect_uri", "http://localhost/callback",
		"code_verifier", verifier))
	must(t, "the exchange of a code", r, err, 200)
	return r.Text("access_token"), r.Text("refresh_token")
}

// held wants a refresh to give this token, or, with "", another one than it was asked with.
func (d dialect) held(t *testing.T, s *server.Server, what, token, want string) string {
	t.Helper()
	r, err := d.refresh(t.Context(), s, token)
	must(t, what, r, err, 200)
	got := r.Text("refresh_token")
	if want != "" && got != want || want == "" && got == token || got == "" {
		t.Fatalf("%s: not the token that it should be", what)
	}
	return got
}

func (d dialect) refuses(t *testing.T, s *server.Server, what, token, reason string) {
	t.Helper()
	r, err := d.refresh(t.Context(), s, token)
	must(t, what, r, err, d.refused)
	if got := r.Text("reason"); got != reason {
		t.Fatalf("%s: refused for %q, want %q", what, got, reason)
	}
	if d.name == "OAuth" && r.Text("error") != "invalid_grant" {
		t.Fatalf("%s: error %q", what, r.Text("error"))
	}
}

// TestRefreshRulesInEachDialect: the same successor however often a reply is lost, the grace of a slow tab, theft afterwards, made-up tokens, the
// idle limit.
func TestRefreshRulesInEachDialect(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		s := server.Start(t, o)
		eachDialect(t, func(t *testing.T, d dialect) {
			ctx := t.Context()
			p := signUp(ctx, t, s, "rules")
			access, first := d.open(ctx, t, s, p)
			d.held(t, s, "at once: too soon for another", first, first)
			s.MustAdvance(ctx, 61*time.Second)
			second := d.held(t, s, "a minute later", first, "")
			for range 3 {
				d.held(t, s, "the reply was lost", first, second)
			}
			d.refuses(t, s, "a tampered token", second[:len(second)-8]+"AAAAAAAA", "refresh_unknown")
			d.held(t, s, "the successor is used", second, second)
			d.held(t, s, "a slow tab, in the grace", first, second)
			s.MustAdvance(ctx, 61*time.Second)
			third := d.held(t, s, "another minute later", second, "")
			r, err := s.Me(ctx, access)
			must(t, "an access token of the family", r, err, 200)
			d.refuses(t, s, "an ancestor after the grace", first, "refresh_reused")
			for _, token := range []string{first, second, third} {
				d.refuses(t, s, "after the theft", token, "session_revoked")
			}
			r, err = s.Me(ctx, access)
			must(t, "an access token after the theft", r, err, 401)
			if mails, err := s.Mailbox(ctx, p.Email, 2); err != nil || len(mails) < 2 {
				t.Fatalf("the owner was not told: %d mails, %v", len(mails), err)
			}
			_, idle := d.open(ctx, t, s, p)
			s.MustAdvance(ctx, 31*day)
			d.refuses(t, s, "after 31 idle days", idle, "session_expired")
		})
	})
}
