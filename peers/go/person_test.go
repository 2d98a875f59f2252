package peers

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// person is somebody with a browser: it follows redirects, keeps the cookies of each host apart, and fills in forms. It counts the times that
// it was asked for a password.
type person struct {
	t      *testing.T
	s      *server.Server
	jars   map[string]*drill.Visitor
	known  *drill.Person
	asked  int
	posted int // answers that came by form
	at     *url.URL
	page   *drill.Reply
}

// newPerson is an account of the server whose browser has been nowhere yet.
func newPerson(t *testing.T, s *server.Server, name string) *person {
	t.Helper()
	known, err := s.SignUp(t.Context(), name)
	ok(t, err)
	return &person{t: t, s: s, known: known, jars: map[string]*drill.Visitor{}}
}

func (p *person) jar(host string) *drill.Visitor {
	if p.jars[host] == nil {
		p.jars[host] = p.s.Visitor().With("Accept", "text/html")
	}
	return p.jars[host]
}

// does sends one request and whatever redirects follow it.
func (p *person) does(method, address string, form url.Values) {
	p.t.Helper()
	for range 16 {
		next, err := url.Parse(address)
		ok(p.t, err)
		if p.at != nil {
			next = p.at.ResolveReference(next)
		}
		v := p.jar(next.Hostname())
		var body any
		if method == http.MethodPost {
			v, body = v.With("Origin", next.Scheme+"://"+next.Host).With("Sec-Fetch-Site", "same-origin"), form
		}
		p.page, err = v.Do(p.t.Context(), method, next.String(), body)
		ok(p.t, err)
		p.at, address, method = next, p.page.Header.Get("Location"), http.MethodGet
		if address == "" || p.page.Status < 300 || p.page.Status > 399 {
			return
		}
	}
	p.t.Fatalf("sent in circles, lately to %s", p.at.Path)
}

// goes opens an address, signs on when asked to, and presses the button of the page that posts an answer to an application.
func (p *person) goes(address string) {
	p.t.Helper()
	p.does(http.MethodGet, address, nil)
	if p.at.Path == "/ui/login" {
		p.asked++
		p.submits(url.Values{"email": {p.known.Email}, "password": {p.known.Password}})
	}
	if strings.Contains(string(p.page.Body), `id="formpost"`) {
		p.posted++
		p.submits(url.Values{})
	}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form ([^>]*method="post"[^>]*)>.*?</form>`)
	action   = regexp.MustCompile(`action="([^"]*)"`)
	inputTag = regexp.MustCompile(`<input[^>]*>`)
	nameOf   = regexp.MustCompile(` name="([^"]*)"`)
	valueOf  = regexp.MustCompile(` value="([^"]*)"`)
)

// submits sends the form of the page, with these fields beside its hidden ones.
func (p *person) submits(fields url.Values) {
	p.t.Helper()
	form := formTag.FindStringSubmatch(string(p.page.Body))
	if form == nil {
		p.t.Fatalf("no form at %s (%d): %s", p.at.Path, p.page.Status, p.page.Body)
	}
	for _, input := range inputTag.FindAllString(form[0], -1) {
		name, value := nameOf.FindStringSubmatch(input), valueOf.FindStringSubmatch(input)
		if name != nil && value != nil && !fields.Has(html.UnescapeString(name[1])) {
			fields.Set(html.UnescapeString(name[1]), html.UnescapeString(value[1]))
		}
	}
	to := p.at.String()
	if a := action.FindStringSubmatch(form[1]); a != nil {
		to = html.UnescapeString(a[1])
	}
	p.does(http.MethodPost, to, fields)
}

// sees fails unless the browser stands at a page of that host and path with the text on it.
func (p *person) sees(address, text string) {
	p.t.Helper()
	want, err := url.Parse(address)
	ok(p.t, err)
	if p.page.Status != 200 || p.at.Host != want.Host || p.at.Path != want.Path || !strings.Contains(string(p.page.Body), text) {
		p.t.Fatalf("the browser stands at %s%s (%d), want %s with %q:\n%s", p.at.Host, p.at.Path, p.page.Status, address, text, p.page.Body)
	}
}
