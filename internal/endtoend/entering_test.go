package endtoend

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const openAndListed = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: diary
  oauth: {registration: true}
  clients:
  - {id: diary, name: Diary, redirect_uris: ["http://127.0.0.1/callback"]}
  - {id: books, name: Books, require_registration: true, roles: [clerk], redirect_uris: ["http://127.0.0.1/callback"]}
`

const atCallback = "http://127.0.0.1:4711/callback"

// walker is a person with a browser, on the way to applications.
type walker struct {
	*drill.Visitor
	t *testing.T
	s *server.Server
}

func walks(t *testing.T, s *server.Server) *walker { return &walker{s.Visitor(), t, s} }

// opens begins at an application and goes as far as no page asks for anything: to a page of the server, or back to the application.
func (w *walker) opens(client string, more ...string) *url.URL {
	w.t.Helper()
	q := url.Values{
		"client_id": {client}, "redirect_uri": {atCallback}, "response_type": {"code"}, "scope": {"openid email"}, "state": {"s"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return w.goes("/oauth2/authorize?" + q.Encode())
}

// goes follows redirects to the first page.
func (w *walker) goes(to string) *url.URL {
	w.t.Helper()
	for range 12 {
		r, err := w.Get(w.t.Context(), to)
		do(w.t, err)
		here := w.led(to, r)
		if r.Status == 200 || !strings.HasPrefix(here.String(), w.s.URL) {
			return here
		}
		to = here.String()
	}
	w.t.Fatalf("no end of redirects at %s", to)
	return nil
}

// led is where an answer leads: its Location, or where it was asked.
func (w *walker) led(at string, r *drill.Reply) *url.URL {
	w.t.Helper()
	base, err := url.Parse(w.s.URL)
	do(w.t, err)
	if r.Status == 303 || r.Status == 302 {
		at = r.Header.Get("Location")
	} else if r.Status != 200 {
		w.t.Fatalf("%s: answered %s", at, r)
	}
	to, err := base.Parse(at)
	do(w.t, err)
	return to
}

// fills posts the form of a page and goes where that leads.
func (w *walker) fills(page *url.URL, form url.Values) *url.URL {
	w.t.Helper()
	r, err := w.Post(w.t.Context(), page.String(), form)
	do(w.t, err)
	to := w.led(page.String(), r)
	if r.Status == 200 || !strings.HasPrefix(to.String(), w.s.URL) {
		return to
	}
	return w.goes(to.String())
}

func (w *walker) at(here *url.URL, path string) *url.URL {
	w.t.Helper()
	if here.Path != path {
		w.t.Fatalf("at %s with error %q, want %s", here.Path, here.Query().Get("error"), path)
	}
	return here
}

// exchanged spends the code that came back.
func (w *walker) exchanged(client, secret string, back *url.URL) *drill.Reply {
	w.t.Helper()
	w.at(back, "/callback")
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {atCallback}, "client_id": {client},
		"code_verifier": {verifier},
	}
	if secret != "" {
		form.Set("client_secret", secret)
	}
	r, err := w.s.Visitor().Post(w.t.Context(), "/oauth2/token", form)
	r = must(w.t, "the code of "+client, r, err, 200)
	if r.Text("access_token") == "" || r.Text("id_token") == "" {
		w.t.Fatalf("tokens are missing: %s", r)
	}
	return r
}

// allows answers the page of consent.
func (w *walker) allows(page *url.URL) *url.URL {
	w.t.Helper()
	w.at(page, "/ui/consent")
	r, err := w.Get(w.t.Context(), page.String())
	form := fieldsOf(must(w.t, "consent", r, err, 200).Body)
	form.Set("answer", "allow")
	return w.fills(page, form)
}

// logsIn fills in the login page.
func (w *walker) logsIn(page *url.URL, email string) *url.URL {
	w.t.Helper()
	w.at(page, "/ui/login")
	return w.fills(page, url.Values{"email": {email}, "password": {drill.Password}})
}

// signsUp goes from the login page through the sign-up and its mail back to the application.
func (w *walker) signsUp(page *url.URL, email string) *url.URL {
	w.t.Helper()
	w.at(page, "/ui/login")
	form := *page
	form.Path = "/ui/register"
	w.fills(&form, url.Values{"email": {email}, "new_password": {drill.Password}})
	link, err := w.s.Link(w.t.Context(), email, 1)
	do(w.t, err)
	mailed, err := url.Parse(w.s.URL)
	do(w.t, err)
	mailed, err = mailed.Parse(link)
	do(w.t, err)
	return w.fills(mailed, url.Values{})
}

// TestEnteringAListedApplication: one sign-on, two applications, one of which requires a registration. Entering it is refused until an
// operator registers the person, then works without a second prompt; and ends, everywhere, when they are removed.
func TestEnteringAListedApplication(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		o.Config = openAndListed
		s := server.Start(t, o)
		w, email := walks(t, s), drill.Fresh("clerk")
		w.exchanged("diary", "", w.signsUp(w.opens("diary"), email))
		for _, prompt := range []string{"", "none", "consent"} {
			back := w.at(w.opens("books", "prompt", prompt), "/callback")
			if back.Query().Get("error") != "access_denied" {
				t.Fatalf("prompt %q: came back with %s", prompt, back.RawQuery)
			}
		}
		logIn := func() (*drill.Reply, error) {
			return s.Visitor().With("X-Token-Mode", "bearer").
				Post(t.Context(), "/login/password", map[string]string{"email": email, "password": drill.Password, "client_id": "books"})
		}
		r, err := logIn()
		refusedFor(t, "a login at the API", r, err, 403, "not_registered")
		r, err = s.Visitor().Post(t.Context(), "/register", map[string]string{"email": drill.Fresh("x"), "password": drill.Password, "client_id": "books"})
		refusedFor(t, "a sign-up", r, err, 403, "registration_closed")

		commanded(t, s.Data, o, "users", "register", email, "--client", "books", "--role", "clerk")
		tokens := w.exchanged("books", "", w.opens("books", "scope", "openid offline_access"))
		r, err = logIn()
		api := must(t, "a login of a registered person", r, err, 200)

		commanded(t, s.Data, o, "users", "unregister", email, "--client", "books")
		r, err = s.Visitor().Post(t.Context(), "/oauth2/token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {tokens.Text("refresh_token")}, "client_id": {"books"},
		})
		if must(t, "a refresh after it", r, err, 400).Text("error") != "invalid_grant" {
			t.Fatalf("refused as %s", r)
		}
		r, err = s.Me(t.Context(), api.Text("access_token"))
		must(t, "the session of the API", r, err, 401)
		if back := w.opens("books"); back.Query().Get("error") != "access_denied" {
			t.Fatalf("entered again with %s", back.RawQuery)
		}
		w.exchanged("diary", "", w.opens("diary", "prompt", "none")) // the sign-on and other applications go on
	})
}

// TestRegisteredClientFromScratch: a client that registers itself is of use to people who never heard of it: who has no account makes one on
// the way, who has one logs in, and both are asked before the client learns anything.
func TestRegisteredClientFromScratch(t *testing.T) {
	s := server.Start(t, server.Options{Config: openAndListed})
	var made struct{ Token string }
	do(t, json.Unmarshal(commanded(t, s.Data, server.Options{}, "registration-token", "create", "--name", "partner", "--json"), &made))
	r, err := s.Visitor().With("Authorization", "Bearer "+made.Token).Post(t.Context(), "/oauth2/clients", map[string]any{
		"client_name": "Partner", "redirect_uris": []string{"http://127.0.0.1/callback"}, "token_endpoint_auth_method": "client_secret_post",
	})
	told := must(t, "the registration", r, err, 201)
	client, secret := told.Text("client_id"), told.Text("client_secret")

	newcomer, email := walks(t, s), drill.Fresh("newcomer")
	newcomer.exchanged(client, secret, newcomer.allows(newcomer.signsUp(newcomer.opens(client), email)))

	member, known := walks(t, s), signUp(t.Context(), t, s, "member").Email // of the default client
	member.exchanged(client, secret, member.allows(member.logsIn(member.opens(client), known)))
	member.exchanged(client, secret, member.opens(client, "prompt", "none")) // consent is remembered
}
