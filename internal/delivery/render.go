package delivery

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/colour"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/words"
)

// Rendered is a mail as a person gets it.
type Rendered struct{ Subject, Text, HTML string }

//go:embed mail.html
var mailHTML string

var layout = template.Must(template.New("mail").Parse(mailHTML))

// letter is what both parts are made from. Every value in it is text.
type letter struct {
	Lang                       words.Lang
	Subject, Heading, Body     string
	Button, Link               string
	CodeTitle, Code            string
	Fallback                   string
	AskedTitle                 string
	Asked                      []line
	NotYouTitle, NotYou, Foot  string
	Accent, Ink, Dark, DarkInk template.CSS // written by colour.RGB, never operator text
}

type line struct{ Name, Value string }

// Render writes m in its locale, else the tenant's. Nothing a stranger can choose is shown but the address itself: a mail to a victim
// must not carry an attacker's text (a display name such as "You won, see …"), so names are left out and devices come from a closed list.
func Render(t *tenant.Tenant, m Mail) (Rendered, error) {
	l := letterFor(t, m)
	var page bytes.Buffer
	if err := layout.Execute(&page, l); err != nil {
		return Rendered{}, err
	}
	return Rendered{Subject: headerText(l.Subject), Text: l.text(), HTML: page.String()}, nil
}

func letterFor(t *tenant.Tenant, m Mail) letter {
	lang := words.Pick(m.Locale, t.Policy.Locale)
	app := headerText(m.Client)
	if app == "" {
		app = headerText(t.Name)
	}
	say := func(part string) string { return lang.Say("mail."+m.Template+"."+part, "app", app) }
	l := letter{
		Lang: lang, Subject: say("subject"), Heading: say("heading"), Body: say("body"), Link: m.Link, Code: m.Code,
		CodeTitle: lang.Say("mail.code"), Fallback: lang.Say("mail.fallback"), AskedTitle: lang.Say("mail.asked"),
		NotYouTitle: lang.Say("mail.notyou"), NotYou: say("notyou"), Foot: lang.Say("mail.foot", "app", app),
	}
	if m.Link != "" && words.Has("mail."+m.Template+".button") {
		l.Button = say("button")
	}
	l.Asked = asked(lang, app, m.Vars)
	l.paint(t.Policy.Theme.Accent)
	return l
}

func asked(lang words.Lang, app string, vars map[string]string) []line {
	out := []line{{lang.Say("mail.application"), app}}
	if p := headerText(vars["place"]); p != "" {
		out = append(out, line{lang.Say("mail.place"), p})
	}
	if d := vars["device"]; d != "" {
		out = append(out, line{lang.Say("mail.device"), device(lang, d)})
	}
	if at, err := time.Parse(time.RFC3339, vars["when"]); err == nil {
		out = append(out, line{lang.Say("mail.when"), lang.Instant(at)})
	}
	return out
}

var (
	lightGround = colour.White
	darkGround  = colour.RGB{R: 0x16, G: 0x19, B: 0x20}
	noAccent    = colour.RGB{R: 0x2f, G: 0x4b, B: 0xc4}
)

func (l *letter) paint(accent string) {
	c, ok := colour.Parse(accent)
	if !ok {
		c = noAccent
	}
	light, dark := colour.Readable(c, colour.AA, lightGround), colour.Readable(c, colour.AA, darkGround)
	l.Accent, l.Ink = template.CSS(light.String()), template.CSS(colour.On(light).String())
	l.Dark, l.DarkInk = template.CSS(dark.String()), template.CSS(colour.On(dark).String())
}

func (l letter) text() string {
	var b strings.Builder
	para := func(s ...string) { b.WriteString(strings.Join(s, "\n") + "\n\n") }
	para(l.Heading)
	para(l.Body)
	if l.Code != "" {
		para(l.CodeTitle+":", "    "+l.Code)
	}
	if l.Button != "" {
		para(l.Button+":", l.Link)
	}
	para(l.NotYouTitle, l.NotYou)
	lines := []string{l.AskedTitle}
	for _, a := range l.Asked {
		lines = append(lines, "  "+a.Name+": "+a.Value)
	}
	para(lines...)
	b.WriteString("-- \n" + l.Foot + "\n")
	return b.String()
}

// systems and browsers are the closed list that devices are named from, most telling first: the header of every browser also claims to
// be others.
var (
	browsers = []line{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox", "Firefox"}, {"FxiOS", "Firefox"}, {"Chrom", "Chrome"}, {"CriOS", "Chrome"},
		{"Safari", "Safari"}, {"curl", "curl"}, {"okhttp", "App"}, {"Dart", "App"}, {"CFNetwork", "App"},
	}
	systems = []line{
		{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS", "macOS"}, {"macOS", "macOS"},
		{"CrOS", "ChromeOS"}, {"Linux", "Linux"}, {"Darwin", "iOS"}, {"okhttp", "Android"},
	}
)

// Device names a device by its User-Agent, from a closed list: a stranger's text is never repeated.
func Device(lang words.Lang, agent string) string { return device(lang, agent) }

func device(lang words.Lang, agent string) string {
	b, s := first(browsers, agent), first(systems, agent)
	switch {
	case b != "" && s != "":
		return lang.Say("device.on", "browser", b, "system", s)
	case b+s != "":
		return b + s
	}
	return lang.Say("device.unknown")
}

func first(list []line, in string) string {
	for _, l := range list {
		if strings.Contains(in, l.Name) {
			return l.Value
		}
	}
	return ""
}
