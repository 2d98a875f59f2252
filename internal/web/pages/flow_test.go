package pages

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// fakeFlow knows one request under way.
type fakeFlow struct{ did []string }

func (f *fakeFlow) Leads(x *web.Exchange, id string) {
	f.did = append(f.did, "leads "+id)
	x.FormTo("https://garden.example.com")
}

func (f *fakeFlow) Back(x *web.Exchange, p login.Proved, signOn bool) (string, error) {
	f.did = append(f.did, "back "+p.ReturnTo+map[bool]string{true: " signed on"}[signOn])
	if p.ReturnTo != "under-way" {
		return "", nil
	}
	return x.PathPrefix() + "/oauth2/continue?i=under-way", nil
}

// TestMailedLinksLeadBack: who asked for the mail on the way to an application goes on there; who has proved the mailbox of a sign-up is signed
// on, who changed an address or a password is not; a request that is over leads where the client says.
func TestMailedLinksLeadBack(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	flow := &fakeFlow{}
	s.pages.cfg.Flow = flow
	for token, p := range map[string]login.Pending{
		"signup": {Kind: login.PendingSignup, Email: "ada@example.com", ClientID: "shop", SameBrowser: true, ReturnTo: "under-way"},
		"late":   {Kind: login.PendingSignup, Email: "ada@example.com", ClientID: "shop", SameBrowser: true, ReturnTo: "over"},
		"forgot": {Kind: login.PendingReset, Email: "ada@example.com", ClientID: "shop", ReturnTo: "under-way"},
		"plain":  {Kind: login.PendingSignup, Email: "ada@example.com", ClientID: "shop", SameBrowser: true},
	} {
		s.login.links[token] = p
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, c := range []struct {
		path, to string
		did      []string
	}{
		{"/email/verify/signup", "/oauth2/continue?i=under-way", []string{"leads under-way", "back under-way signed on"}},
		{"/email/verify/late", "https://shop.example.com/welcome", []string{"leads over", "back over signed on"}},
		{"/password/reset/forgot", "/oauth2/continue?i=under-way", []string{"leads under-way", "back under-way"}},
		{"/email/verify/plain", "https://shop.example.com/welcome", nil},
	} {
		flow.did = nil
		page, err := browser.Get(s.URL + c.path)
		if err != nil {
			t.Fatal(err)
		}
		_ = page.Body.Close()
		if policy := page.Header.Get("Content-Security-Policy"); strings.Contains(policy, "https://garden.example.com") != (c.did != nil) {
			t.Errorf("%s: the form may lead to %s", c.path, policy)
		}
		r, err := browser.PostForm(s.URL+c.path, url.Values{"new_password": {"quiet otter lamp"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != c.to {
			t.Errorf("%s: %d to %s, want %s", c.path, r.StatusCode, r.Header.Get("Location"), c.to)
		}
		if diff := cmp.Diff(c.did, flow.did); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
}
