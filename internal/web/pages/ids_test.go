package pages

import (
	"net/http"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
)

// promises are how the pages of the table of ids are reached: address, and the claim cookie of a second device.
var promises = map[string]struct{ path, claim string }{
	"/email/verify/…":                {"/email/verify/there", ""},
	"/password/reset/…":              {"/password/reset/reset", ""},
	"/ui/handoff":                    {"/ui/handoff", ""},
	"/ui/handoff, code shown":        {"/ui/handoff?id=offered", ""},
	"/ui/handoff, code scanned":      {"/ui/handoff?id=claimed", ""},
	"/ui/handoff/…":                  {"/ui/handoff/waiting", ""},
	"/ui/handoff/wait":               {"/ui/handoff/wait", "waiting.claim-secret"},
	"/ui/handoff/wait, confirmed":    {"/ui/handoff/wait", "confirmed.claim-secret"},
	"/ui/done/…":                     {"/ui/done/verified", ""},
	"a link that is used or expired": {"/email/verify/used", ""},
}

// TestPromisedIDsAreThere: the ids that docs/hosted-pages.md promises are on the pages, each once, and titles tell the pages apart.
func TestPromisedIDsAreThere(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	promised := browser.Promised(t, filepath.Join("..", "..", ".."))
	titles := map[string]string{}
	for page, p := range promises {
		headers := []string{}
		if p.claim != "" {
			headers = append(headers, "Cookie", "__Host-gh_claim="+p.claim)
		}
		_, body := s.ask(t, http.MethodGet, p.path, "", "", headers...)
		if lacks := browser.Lacks(body, promised[page]); len(lacks) > 0 || len(promised[page]) == 0 {
			t.Errorf("%s has not, or twice, of %v: %v", page, promised[page], lacks)
		}
		title := regexp.MustCompile(`<title>.*</title>`).FindString(body)
		if other := titles[title]; title == "" || other != "" {
			t.Errorf("%s is called %q as %s is", page, title, other)
		}
		titles[title] = page
	}
}
