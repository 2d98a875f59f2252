package hosted

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// logoutForm asks whether to log out: a page of somebody else's may have sent the browser here.
type logoutForm struct {
	view.Page
	App    string
	Email  string
	Fields []hidden
}

type hidden struct{ Name, Value string }

// showLogout asks. Its form posts to the OAuth face, which judges everything in it again.
func (h *Pages) showLogout(x *web.Exchange) error {
	v, query, err := h.enter(x)
	if err != nil {
		return err
	}
	if v.live == nil {
		return x.Redirect(x.PathPrefix() + "/ui/done/logout")
	}
	f := logoutForm{Page: v.page(x, "logout.title"), Email: v.live.User.PrimaryEmail().Value}
	for _, name := range []string{"client_id", "post_logout_redirect_uri", "state", "ui_locales"} {
		if value := query.Get(name); value != "" {
			f.Fields = append(f.Fields, hidden{name, value})
		}
	}
	if c := h.cfg.Directory.Client(x.Tenant.ID, query.Get("client_id")); c != nil {
		f.App = clientName(c)
		leadAfterLogout(x, c, query.Get("post_logout_redirect_uri"))
	}
	return x.HTML(http.StatusOK, logoutPage(f))
}

// leadAfterLogout opens the content policy for the page that the person wants to go to, if its origin is one that is registered; on loopback
// the port is free (RFC 8252 section 7.3).
func leadAfterLogout(x *web.Exchange, c *tenant.Client, wanted string) {
	for _, registered := range c.Settings.OAuth.PostLogoutRedirectURIs {
		if origin(registered) == origin(wanted) {
			view.LetFormLeadTo(x, wanted)
			return
		}
	}
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := u.Host
	if name := u.Hostname(); u.Scheme == "http" && (name == "localhost" || name == "127.0.0.1" || name == "::1") {
		host = name
	}
	return strings.ToLower(u.Scheme + "://" + host)
}
