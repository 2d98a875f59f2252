package oauthapi

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// reply sends the browser back to the application: 303, so that no form of ours is ever posted on (RFC 9700 section 4.12), or a page that
// posts the answer (OAuth 2.0 Form Post Response Mode).
func reply(x *web.Exchange, r oauth.Reply) error {
	if r.Mode != oauth.ModeFormPost {
		return x.Redirect(oauth.WithParams(r.RedirectURI, r.Params))
	}
	formTo(x, r.RedirectURI)
	return x.HTML(http.StatusOK, formPost(formPage{Page: view.For(x, "formpost.title"), Action: r.RedirectURI, Fields: fields(r.Params)}))
}

// formPage is the page that posts an answer. Without script there is its button.
type formPage struct {
	view.Page
	Action string
	Fields []field
}

type field struct{ Name, Value string }

func fields(params url.Values) []field {
	var out []field
	for name, values := range params {
		for _, v := range values {
			out = append(out, field{name, v})
		}
	}
	slices.SortFunc(out, func(a, b field) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

var (
	schemeForm = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*$`)
	hostForm   = regexp.MustCompile(`^[a-zA-Z0-9.:\[\]-]+$`)
)

// formTo opens the content policy for the registered page and nothing else.
func formTo(x *web.Exchange, address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || !schemeForm.MatchString(u.Scheme):
	case u.Scheme != "https" && u.Scheme != "http":
		x.FormTo(u.Scheme + ":")
	case hostForm.MatchString(u.Host):
		x.FormTo(u.Scheme + "://" + u.Host)
	}
}
