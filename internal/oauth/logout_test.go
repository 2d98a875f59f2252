package oauth_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestLogout: OpenID Connect RP-Initiated Logout 1.0. Only who is named, or says yes, is signed off; only registered pages are gone to.
func TestLogout(t *testing.T) {
	const bye = "https://app.example.com/bye?x=1"
	for name, c := range map[string]struct {
		req     oauth.LogoutRequest
		nobody  bool
		want    string // "confirm", "ended <redirect>", or a reason
		forgets bool
	}{
		"bare":                            {req: oauth.LogoutRequest{}, want: "confirm"},
		"bare, confirmed":                 {req: oauth.LogoutRequest{Confirmed: true}, want: "ended ", forgets: true},
		"hint":                            {req: oauth.LogoutRequest{IDTokenHint: "ADA app"}, want: "ended ", forgets: true},
		"hint, page, state":               {req: oauth.LogoutRequest{IDTokenHint: "ADA app", PostLogoutRedirectURI: bye, State: "a b"}, want: "ended " + bye + "&state=a+b", forgets: true},
		"hint and its client":             {req: oauth.LogoutRequest{IDTokenHint: "ADA app", ClientID: "app"}, want: "ended ", forgets: true},
		"hint and another client":         {req: oauth.LogoutRequest{IDTokenHint: "ADA app", ClientID: "other"}, want: "invalid_request"},
		"hint of somebody else":           {req: oauth.LogoutRequest{IDTokenHint: "eve app"}, want: "confirm"},
		"hint that is rubbish":            {req: oauth.LogoutRequest{IDTokenHint: "rubbish"}, want: "confirm"},
		"rubbish, page":                   {req: oauth.LogoutRequest{IDTokenHint: "rubbish", PostLogoutRedirectURI: bye}, want: "invalid_request"},
		"client, page":                    {req: oauth.LogoutRequest{ClientID: "app", PostLogoutRedirectURI: bye}, want: "confirm"},
		"client, page, confirmed":         {req: oauth.LogoutRequest{ClientID: "app", PostLogoutRedirectURI: bye, Confirmed: true}, want: "ended " + bye, forgets: true},
		"unknown client":                  {req: oauth.LogoutRequest{ClientID: "nobody"}, want: "unknown_client"},
		"page without client":             {req: oauth.LogoutRequest{PostLogoutRedirectURI: bye, Confirmed: true}, want: "invalid_request"},
		"page not registered":             {req: oauth.LogoutRequest{ClientID: "app", PostLogoutRedirectURI: "https://app.example.com/bye", Confirmed: true}, want: "invalid_redirect_uri"},
		"page not registered, hint":       {req: oauth.LogoutRequest{IDTokenHint: "ADA app", PostLogoutRedirectURI: appCallback}, want: "invalid_redirect_uri"},
		"nobody":                          {req: oauth.LogoutRequest{}, nobody: true, want: "ended "},
		"nobody, page":                    {req: oauth.LogoutRequest{ClientID: "app", PostLogoutRedirectURI: bye, State: "s"}, nobody: true, want: "ended " + bye + "&state=s"},
		"nobody, page not registered":     {req: oauth.LogoutRequest{ClientID: "app", PostLogoutRedirectURI: "https://attacker.example/"}, nobody: true, want: "invalid_redirect_uri"},
		"state without page goes nowhere": {req: oauth.LogoutRequest{State: "s", Confirmed: true}, want: "ended ", forgets: true},
		"too long":                        {req: oauth.LogoutRequest{State: strings.Repeat("s", 5000)}, want: "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w := onSQLite(t)
			cookie, live := w.signOn("b", w.ada, secret.Text{})
			c.req.IDTokenHint = strings.Replace(c.req.IDTokenHint, "ADA", w.ada.ID, 1)
			if !c.nobody {
				c.req.Live = live
			}
			step, err := w.s.Logout(t.Context(), w.call("b"), w.tenant, c.req)
			got := "ended " + step.RedirectURI
			switch {
			case err != nil:
				got = string(fault.ReasonOf(err))
			case step.Confirm:
				got = "confirm"
			}
			if got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			_, err = w.sso.Find(t.Context(), w.call("b"), w.tenant, cookie)
			if forgotten := fault.ReasonOf(err) == fault.ReasonSessionRevoked; forgotten != c.forgets {
				t.Fatalf("signed off: %v (%v)", forgotten, err)
			}
		})
	}
}
