package pages

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// ask sends a request as a browser on our own page would and follows nothing.
func (s *site) ask(t testing.TB, method, path, kind, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(raw)
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func (s *site) post(t testing.TB, path string, form url.Values) (*http.Response, string) {
	t.Helper()
	return s.ask(t, http.MethodPost, path, formType, form.Encode())
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// Link scanners and prefetchers must leave every link usable (row 12 of the threat table).
func TestReadingALinkChangesNothing(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	for _, path := range []string{"/email/verify/here", "/email/verify/there", "/email/verify/change", "/password/reset/reset"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			res, body := s.ask(t, method, path, "", "")
			if res.StatusCode >= 300 || (method == http.MethodHead && body != "") {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
			if res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: headers %v", method, path, res.Header)
			}
			if len(res.Cookies()) > 0 {
				t.Errorf("%s %s sets cookies", method, path)
			}
		}
	}
	if done := s.login.done(); len(done) > 0 {
		t.Errorf("spent by reading: %v", done)
	}
}

func TestWaysToProveAMailbox(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		form url.Values
		to   string
		done string
	}{
		"button":            {"/email/verify/here", values(), "/ui/done/verified", "here button"},
		"button, client":    {"/email/verify/shop", values(), "https://shop.example.com/welcome", "shop button"},
		"password":          {"/email/verify/there", values("way", "known", "password", rightPassword), "/ui/done/verified", "there password"},
		"new":               {"/email/verify/there", values("way", "fresh", "new_password", "quiet otter lamp"), "/ui/done/verified", "there new"},
		"both, known":       {"/email/verify/there", values("way", "known", "password", rightPassword, "new_password", "filled by a manager"), "/ui/done/verified", "there password"},
		"both, new":         {"/email/verify/there", values("way", "fresh", "password", "filled by a manager", "new_password", "quiet otter lamp"), "/ui/done/verified", "there new"},
		"change":            {"/email/verify/change", values(), "/ui/done/changed", "change button"},
		"change, elsewhere": {"/email/verify/changing", values("password", rightPassword), "/ui/done/changed", "changing password"},
		"reset":             {"/password/reset/reset", values("new_password", "quiet otter lamp"), "/ui/done/reset", "reset reset"},
		"tenant by path":    {"/t/demo/email/verify/here", values(), "/t/demo/ui/done/verified", "here button"},
	} {
		s := newSite(t, false, tenant.Theme{})
		res, _ := s.post(t, c.path, c.form)
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != c.to {
			t.Errorf("%s: %d to %q", name, res.StatusCode, res.Header.Get("Location"))
		}
		if diff := cmp.Diff([]string{c.done}, s.login.done()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if strings.HasPrefix(c.to, "/") {
			if res, _ := s.ask(t, http.MethodGet, c.to, "", ""); res.StatusCode != http.StatusOK {
				t.Errorf("%s: the last page says %d", name, res.StatusCode)
			}
		}
		if res, body := s.post(t, c.path, c.form); res.StatusCode != http.StatusGone || !strings.Contains(body, "does not work any more") {
			t.Errorf("%s: a second time gives %d", name, res.StatusCode)
		}
	}
}

func TestErrorsStandAtTheFieldAndGiveNothingBack(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
		field  string // where the error stands; "" for the summary only
	}{
		"wrong":             {"/email/verify/there", values("way", "known", "password", "hunter2hunter2"), 401, "password"},
		"wrong though here": {"/email/verify/here", values("password", "hunter2hunter2"), 401, "password"},
		"missing":           {"/email/verify/there", values("way", "known"), 422, "password"},
		"missing new":       {"/email/verify/there", values("way", "fresh", "password", "hunter2hunter2"), 422, "new_password"},
		"weak":              {"/email/verify/there", values("way", "fresh", "new_password", "hunter2"), 422, "new_password"},
		"breached":          {"/email/verify/there", values("way", "fresh", "new_password", "password123"), 422, "new_password"},
		"limited":           {"/email/verify/there", values("way", "fresh", "new_password", "toooften"), 429, ""},
		"change, wrong":     {"/email/verify/changing", values("password", "hunter2hunter2"), 401, "password"},
		"reset, missing":    {"/password/reset/reset", values(), 422, "new_password"},
		"reset, weak":       {"/password/reset/reset", values("new_password", "hunter2"), 422, "new_password"},
		"reset, endless":    {"/password/reset/reset", values("new_password", strings.Repeat("hunter2", 99)), 400, "new_password"},
		"reset, limited":    {"/password/reset/reset", values("new_password", "toooften"), 429, ""},
	} {
		s := newSite(t, false, tenant.Theme{})
		res, body := s.post(t, c.path, c.form)
		if res.StatusCode != c.status || !strings.Contains(body, `id="summary"`) || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: %d\n%s", name, res.StatusCode, body)
		}
		if c.field != "" && (!strings.Contains(body, `id="`+c.field+`-error"`) || !strings.Contains(body, `href="#`+c.field+`"`)) {
			t.Errorf("%s: no error at %s\n%s", name, c.field, body)
		}
		if !strings.Contains(body, "example.com") {
			t.Errorf("%s: the address is lost", name)
		}
		for _, secrets := range []string{"hunter2", "password123", "toooften"} {
			if strings.Contains(body, secrets) {
				t.Errorf("%s: a password came back", name)
			}
		}
		if c.status == 429 && res.Header.Get("Retry-After") != "90" {
			t.Errorf("%s: Retry-After %q", name, res.Header.Get("Retry-After"))
		}
		if n := len(s.login.done()); n != 0 {
			t.Errorf("%s: spent", name)
		}
	}
}

func TestChosenWaySurvivesAnError(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	_, body := s.post(t, "/email/verify/there", values("way", "fresh", "new_password", "short"))
	if !strings.Contains(body, `value="fresh" checked`) || strings.Contains(body, `value="known" checked`) {
		t.Error(body)
	}
}

func TestBadFormsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		kind, body string
		status     int
	}{
		"twice":     {formType, "password=hunter2secret&password=hunter2secret", 400},
		"nul":       {formType, "password=hunter2secret%00", 400},
		"not utf-8": {formType, "password=hunter2secret%ff", 400},
		"escape":    {formType, "password=hunter2secret%zz", 400},
		"multipart": {"multipart/form-data; boundary=x", "--x--hunter2secret", 415},
		"plain":     {"text/plain", "password=hunter2secret", 415},
		"none":      {"", "password=hunter2secret", 415},
		"large":     {formType, "password=hunter2secret" + strings.Repeat("x", 70<<10), 413},
		"bad json":  {jsonType, `{"password":"hunter2secret",`, 400},
		"number":    {jsonType, `{"password":42}`, 400},
		"both":      {jsonType, `{"password":"hunter2secret","new_password":"hunter2secret"}`, 400},
		"json list": {jsonType, `["hunter2secret"]`, 400},
	} {
		for _, path := range []string{"/email/verify/there", "/password/reset/reset"} {
			if c.kind == jsonType && strings.HasPrefix(path, "/password") {
				c.status = 415
			}
			s := newSite(t, false, tenant.Theme{})
			res, body := s.ask(t, http.MethodPost, path, c.kind, c.body)
			if res.StatusCode != c.status {
				t.Errorf("%s %s: %d, want %d", name, path, res.StatusCode, c.status)
			}
			if strings.Contains(body, "hunter2") || len(s.login.done()) > 0 {
				t.Errorf("%s %s: the secret came back, or something was spent", name, path)
			}
		}
	}
}

func TestProofByJSON(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	for _, c := range []struct{ path, body, want string }{
		{"/email/verify/here", ``, `{"verified":true}`},
		{"/email/verify/shop", `{}`, `{"verified":true,"redirect_url":"https://shop.example.com/welcome"}`},
		{"/email/verify/there", `{"new_password":"quiet otter lamp"}`, `{"verified":true}`},
	} {
		res, body := s.ask(t, http.MethodPost, c.path, jsonType, c.body, "Accept", "application/json")
		if res.StatusCode != 200 || body != c.want {
			t.Errorf("%s: %d %s", c.path, res.StatusCode, body)
		}
	}
	res, body := s.ask(t, http.MethodPost, "/email/verify/here", jsonType, `{}`, "Accept", "application/json")
	if res.StatusCode != 410 || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"reason":"gone"`) {
		t.Errorf("a second time: %d %s", res.StatusCode, body)
	}
}

func TestForeignPagesCannotPost(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	res, _ := s.ask(t, http.MethodPost, "/email/verify/here", formType, "", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	if res.StatusCode != http.StatusForbidden || len(s.login.done()) > 0 {
		t.Errorf("%d, spent %v", res.StatusCode, s.login.done())
	}
}

func TestLinksOfAnotherKindAreNone(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	for _, path := range []string{"/email/verify/reset", "/password/reset/here", "/password/reset/change", "/email/verify/nothing"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			res, body := s.ask(t, method, path, "", "")
			if res.StatusCode != http.StatusGone || !strings.Contains(body, "What you can do") {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
		}
	}
}

func TestFaultsAreToldWithoutDetail(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	s.login.broken = fault.Wrap(fault.Internal, fault.ReasonInternal, "something", io.ErrUnexpectedEOF)
	res, body := s.ask(t, http.MethodGet, "/email/verify/here", "", "")
	if res.StatusCode != 500 || strings.Contains(body, "EOF") || !strings.Contains(body, res.Header.Get("Trace-Id")) {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
	s.login.broken = fault.New(fault.Unavailable, fault.ReasonBusy, "busy")
	if res, body := s.ask(t, http.MethodGet, "/email/verify/here", "", "", "Accept-Language", "de"); res.StatusCode != 503 || !strings.Contains(body, "Gleich wieder da") {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
}

func TestPolicyLetsTheFormLeadToTheClientOnly(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	for path, want := range map[string]string{
		"/email/verify/here": "form-action 'self';", "/email/verify/shop": "form-action 'self' https://shop.example.com;",
	} {
		res, _ := s.ask(t, http.MethodGet, path, "", "")
		policy := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", path, policy)
		}
	}
}

func TestLanguageIsTheReaders(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	_, de := s.ask(t, http.MethodGet, "/email/verify/here", "", "", "Accept-Language", "de-CH,en;q=0.5")
	_, en := s.ask(t, http.MethodGet, "/email/verify/here", "", "", "Accept-Language", "fr")
	if !strings.Contains(de, `<html lang="de"`) || !strings.Contains(de, "Adresse bestätigen") || !strings.Contains(en, "Confirm address") {
		t.Errorf("de: %s\nen: %s", de, en)
	}
}

func TestPagesAreSmall(t *testing.T) {
	s := newSite(t, true, tenant.Theme{})
	for _, shot := range shots {
		if _, body := s.ask(t, http.MethodGet, shot.path, "", ""); len(body) > 20<<10 || strings.Contains(body, "style=\"") && shot.name != "mail" {
			t.Errorf("%s: %d bytes, or inline style", shot.path, len(body))
		}
	}
}

func TestAssetsAreKeptUnderTheirNameOnly(t *testing.T) {
	s := newSite(t, false, tenant.Theme{Accent: "#aa0033"})
	_, body := s.ask(t, http.MethodGet, "/t/demo/email/verify/here", "", "")
	for _, attr := range []string{`<link rel="stylesheet" href="`, `<script src="`} {
		_, rest, _ := strings.Cut(body, attr)
		path, _, _ := strings.Cut(rest, `"`)
		res, asset := s.ask(t, http.MethodGet, path, "", "")
		if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || asset == "" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
		if attr[1] == 'l' && !strings.HasPrefix(asset, ":root{--accent:#aa0033;") {
			t.Errorf("the theme is missing: %.80s", asset)
		}
	}
	if res, _ := s.ask(t, http.MethodGet, "/ui/assets/0123.css", "", ""); res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("an older sheet: %d %v", res.StatusCode, res.Header)
	}
	if res, _ := s.ask(t, http.MethodGet, "/ui/assets/0123.js", "", ""); res.StatusCode != 404 {
		t.Errorf("an unknown script: %d", res.StatusCode)
	}
}

func TestMailboxAPI(t *testing.T) {
	s := newSite(t, true, tenant.Theme{})
	var got []map[string]any
	res, body := s.ask(t, http.MethodGet, "/dev/mailbox?to=ada@example.com", "", "", "Accept", "application/json")
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != 200 || len(got) != 2 {
		t.Fatalf("%d %v %s", res.StatusCode, err, body)
	}
	for _, m := range got {
		for _, key := range []string{"id", "to", "subject", "text", "html", "links", "codes", "at"} {
			if m[key] == nil {
				t.Errorf("%s is missing in %v", key, m)
			}
		}
		if len(m) != 8 {
			t.Errorf("fields %v", m)
		}
	}
	if res, _ := s.ask(t, http.MethodDelete, "/dev/mailbox", "", ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("delete: %d", res.StatusCode)
	}
	if _, body := s.ask(t, http.MethodGet, "/dev/mailbox", "", ""); body != "[]" {
		t.Errorf("after delete: %s", body)
	}
}

func TestDesignedMailRunsNothing(t *testing.T) {
	s := newSite(t, true, tenant.Theme{})
	res, _ := s.ask(t, http.MethodGet, "/dev/mailbox/view/a", "", "")
	if p := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.Contains(p, "sandbox") || !strings.Contains(p, "default-src 'none'") {
		t.Errorf("%d %s", res.StatusCode, p)
	}
	if res, _ := s.ask(t, http.MethodGet, "/dev/mailbox/view/zzz", "", ""); res.StatusCode != 404 {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestDevelopmentPagesAreAbsentOtherwise(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	for _, path := range []string{"/dev/mailbox", "/dev/mailbox/view", "/dev/mailbox/view/a", "/ui/try"} {
		if res, _ := s.ask(t, http.MethodGet, path, "", ""); res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add(formType, "way=known&password=x")
	f.Add(jsonType, `{"password":"x"}`)
	f.Add("text/plain", "\x00\xff")
	s := newSite(f, false, tenant.Theme{})
	f.Fuzz(func(t *testing.T, kind, body string) {
		if strings.ContainsAny(kind, "\r\n\x00") || !plainHeader(kind) {
			return
		}
		res, _ := s.ask(t, http.MethodPost, "/email/verify/gone-already", kind, body)
		if res.StatusCode >= 500 {
			t.Errorf("%q %q: %d", kind, body, res.StatusCode)
		}
	})
}

func plainHeader(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
