package delivery

import (
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/words"
)

var templates = []string{
	TemplateVerify, TemplateExists, TemplateReset, "reset_signup", TemplateEmailChange, TemplateEmailChanged, TemplateResetDone,
	TemplateRefreshReused, TemplateClosed, TemplateDeleted,
}

func TestEveryTemplateInEveryLanguage(t *testing.T) {
	tn := &tenant.Tenant{Name: "Demo", Policy: tenant.Policy{Theme: tenant.Theme{Accent: "#ffee00"}}}
	for _, name := range templates {
		for _, lang := range words.Langs() {
			m := sample
			m.Template, m.Locale = name, string(lang)
			r, err := Render(tn, m)
			if err != nil {
				t.Fatal(err)
			}
			all := r.Subject + r.Text + r.HTML
			if regexp.MustCompile(`mail\.[a-z_]+\.|mail\.[a-z]+<`).MatchString(all) || strings.Contains(all, "{app}") {
				t.Errorf("%s %s shows a key or a place:\n%s", name, lang, r.Text)
			}
			if regexp.MustCompile(`(?i)<img|<script|src=|@import|url\(`).MatchString(r.HTML) {
				t.Errorf("%s %s loads something", name, lang)
			}
			if n := strings.Count(r.HTML, `class="button"`); n > 1 {
				t.Errorf("%s %s has %d buttons", name, lang, n)
			}
			if len(r.HTML) > 8<<10 {
				t.Errorf("%s %s: %d bytes", name, lang, len(r.HTML))
			}
		}
	}
}

func TestNoticesHaveNoButton(t *testing.T) {
	m := sample
	m.Template, m.Link = TemplateResetDone, ""
	r, err := Render(&tenant.Tenant{Name: "Demo"}, m)
	if err != nil || strings.Contains(r.HTML, `class="button"`) || strings.Contains(r.HTML, `href`) {
		t.Errorf("a notice got a link (%v):\n%s", err, r.HTML)
	}
}

// What a stranger chooses (device header, display name) never reaches the victim as text of his.
func TestStrangersTextStaysOut(t *testing.T) {
	m := sample
	m.Vars = map[string]string{"device": "You won! http://evil.example", "name": "You won! http://evil.example", "when": "<b>now</b>"}
	r, err := Render(&tenant.Tenant{Name: "Demo"}, m)
	if err != nil || strings.Contains(r.Text+r.HTML, "won") || strings.Contains(r.Text+r.HTML, "<b>") {
		t.Errorf("a stranger's text came through (%v):\n%s", err, r.Text)
	}
	if !strings.Contains(r.Text, "Unknown device") {
		t.Errorf("no device named:\n%s", r.Text)
	}
}

func TestNamesAreEscaped(t *testing.T) {
	m := sample
	m.Client, m.Link = `<script>alert(1)</script>`, `javascript:alert(1)`
	r, err := Render(&tenant.Tenant{Name: "Demo"}, m)
	if err != nil || strings.Contains(r.HTML, "<script>") || strings.Contains(r.HTML, `href="javascript`) {
		t.Errorf("not escaped (%v):\n%s", err, r.HTML)
	}
}

func TestOneAddress(t *testing.T) {
	for _, bad := range []string{
		"", "ada", "a@example.com, b@example.com", "a@example.com\r\nBcc: b@example.com", "a@example.com\nb", "Ada <a@example.com>", "a@example.com>",
		"<a@example.com", "a b@example.com", "a@example.com;b@example.com", "a@example.com\x00", "\"a\"@example.com", " a@example.com",
	} {
		if a, err := oneAddress(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, a)
		}
	}
	for _, good := range []string{"a@example.com", "jürgen@example.com", "a+b@example.co.uk"} {
		if a, err := oneAddress(good); err != nil || a.Address != good {
			t.Errorf("%q: %v %v", good, a, err)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("Shop\r\nBcc: b@example.com", "a@example.com\r\nBcc: b@example.com")
	f.Add("Shop", "a@example.com")
	f.Add("Über\u2028Shop", "a@example.com")
	f.Fuzz(func(t *testing.T, app, to string) {
		m := sample
		m.Client, m.To = app, to
		r, err := Render(&tenant.Tenant{Name: "Demo"}, m)
		if err != nil {
			return
		}
		msg, err := compose(envelope{from: "login@example.com", to: m.To}, r)
		if err != nil {
			return
		}
		var out strings.Builder
		if _, err := msg.WriteTo(&out); err != nil {
			return
		}
		got, err := mail.ReadMessage(strings.NewReader(out.String()))
		if err != nil {
			t.Fatalf("does not parse: %v\n%s", err, out.String())
		}
		for h := range got.Header {
			if !strings.Contains(" Date From To Subject Message-Id Mime-Version Content-Type Auto-Submitted Content-Transfer-Encoding ", " "+h+" ") {
				t.Fatalf("header %q came in", h)
			}
		}
		if list, err := got.Header.AddressList("To"); err != nil || len(list) != 1 {
			t.Fatalf("recipients %v %v", list, err)
		}
	})
}

func TestSMTPConfiguration(t *testing.T) {
	for url, ok := range map[string]bool{
		"smtp://mail.example.com": true, "smtps://user:p%40ss@mail.example.com:465": true, "smtp://[::1]:25": true,
		"http://mail.example.com": false, "mail.example.com:25": false, "smtp://": false, "smtp://mail.example.com:0": false,
		"smtp://mail.example.com/?starttls=no": false, "smtp://user:hunter2@mail.example.com:99999": false,
	} {
		err := SMTP{URL: secret.NewText(url), From: "login@example.com"}.Validate()
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is shown: %v", err)
		}
	}
	if err := (SMTP{URL: secret.NewText("smtp://mail.example.com"), From: "nobody"}).Validate(); err == nil {
		t.Error("a sender without address was taken")
	}
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "localhost.example.com": false, "192.0.2.1": false, "127.0.0.1.example.com": false} {
		if loopback(host) != want {
			t.Errorf("loopback(%q) = %v", host, !want)
		}
	}
}

// Devices that are no browser are named in the reader's language, too.
func TestDevicesAreNamed(t *testing.T) {
	for agent, want := range map[string][2]string{
		"okhttp/4.12.0":                      {"App on Android", "App auf Android"},
		"Example/7 CFNetwork/1490 Darwin/23": {"App on iOS", "App auf iOS"},
		"<script>":                           {"Unknown device", "Unbekanntes Gerät"},
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": {"Firefox on Linux", "Firefox auf Linux"},
	} {
		if got := [2]string{Device(words.English, agent), Device(words.German, agent)}; got != want {
			t.Errorf("%s is %v, want %v", agent, got, want)
		}
	}
}
