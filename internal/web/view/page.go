// Package view owns what every face may render for people: the layout, the one style sheet and its themes, form fields with their errors,
// the page for refusals, and the choice of language. It does not own any page's content or any rule.
package view

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/words"
)

// Page is what the layout needs to know of an answer.
type Page struct {
	Lang   words.Lang
	Title  string
	Name   string // of the tenant, or of the product before a tenant is known
	Logo   string
	Terms  string
	Prefix string // "/t/{slug}" or "": stands before every path of ours
	Sheet  string
	Trace  string
	Dev    bool
	Wide   bool     // a tool for developers: two columns
	Extra  []Script // beside the pages' own
}

// For makes the page of an exchange. title is a key of the catalogues.
func For(x *web.Exchange, title string) Page {
	p := Page{
		Lang: Lang(x), Name: "Gatehouse", Logo: logo(x.Tenant), Prefix: x.PathPrefix(), Trace: x.Call.Trace, Dev: x.Dev(),
		Terms: webAddress(themeOf(x.Tenant).TermsURL), Sheet: sheetName(variables(themeOf(x.Tenant))),
	}
	if x.Tenant != nil {
		p.Name = x.Tenant.Name
	}
	p.Title = p.Lang.Say(title)
	return p
}

// Lang is the language of an answer: what the address asks for, else the browser, else the tenant's.
func Lang(x *web.Exchange) words.Lang {
	wishes := append(Asked(x), words.Accept(x.R.Header.Get("Accept-Language"))...)
	return words.Pick(append(wishes, localeOf(x.Tenant))...)
}

// Asked are the languages that an application asks for in the address of a page (ui_locales, OpenID Connect Core section 3.1.2.1).
func Asked(x *web.Exchange) []string {
	if !strings.Contains(x.R.URL.RawQuery, "ui_locales=") {
		return nil
	}
	asked := strings.Fields(x.R.URL.Query().Get("ui_locales"))
	return asked[:min(len(asked), 16)] // nobody speaks more, and a stranger wrote it
}

func localeOf(t *tenant.Tenant) string {
	if t == nil {
		return ""
	}
	return t.Policy.Locale
}

// webAddress lets only what a browser opens as a page through.
func webAddress(u string) string {
	for _, p := range []string{"https://", "http://"} {
		if len(u) > len(p) && u[:len(p)] == p {
			return u
		}
	}
	return ""
}

// Say is the page's language speaking.
func (p Page) Say(key string, pairs ...string) string { return p.Lang.Say(key, pairs...) }

// At is a path of ours as the reader reaches it.
func (p Page) At(path string) string { return p.Prefix + path }

func (p Page) asset(file string) string { return p.At("/ui/assets/" + file) }

func (p Page) scripts() []Script { return append([]Script{ownScript}, p.Extra...) }

func (p Page) initial() string {
	r, _ := utf8.DecodeRuneInString(p.Name)
	if r == utf8.RuneError {
		return "G"
	}
	return string(unicode.ToUpper(r))
}

// Problem is one thing to be put right before the form can be taken. Field is "" when no field is to blame.
type Problem struct{ Field, Text string }

// Problems are shown in a summary on top and again at each field.
type Problems []Problem

// heading is the key of what stands above them: to check something, when there is a field to check.
func (ps Problems) heading() string {
	for _, p := range ps {
		if p.Field != "" {
			return "form.errors"
		}
	}
	return "form.failed"
}

// Of is the text for a field, "" when it is fine.
func (ps Problems) Of(field string) string {
	for _, p := range ps {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}
