package pages

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// boxLimit is how many mails the mailbox keeps, and so the most one answer has.
const boxLimit = 500

// shownLimit is how many mails the page shows.
const shownLimit = 50

// listMail is GET /dev/mailbox: [{id, to, subject, text, html, links, codes, at}], newest first; ?to= narrows it to one address.
func (p *Pages) listMail(x *web.Exchange) error {
	mails, err := p.mails(x, boxLimit)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, mails)
}

func (p *Pages) mails(x *web.Exchange, limit int) ([]delivery.BoxMail, error) {
	if err := x.ResolveTenant(); err != nil {
		return nil, err
	}
	mails, err := p.cfg.Mailbox.Mailbox(x.R.Context(), x.Tenant.ID, wanted(x), limit)
	if mails == nil {
		mails = []delivery.BoxMail{} // JSON [], not null
	}
	for i := range mails {
		if mails[i].Links == nil {
			mails[i].Links = []string{}
		}
		if mails[i].Codes == nil {
			mails[i].Codes = []string{}
		}
	}
	return mails, err
}

func wanted(x *web.Exchange) string { return strings.TrimSpace(x.R.URL.Query().Get("to")) }

// clearMail is DELETE /dev/mailbox.
func (p *Pages) clearMail(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	if err := p.cfg.Mailbox.ClearMailbox(x.R.Context(), x.Tenant.ID); err != nil {
		return err
	}
	return x.NoContent()
}

// boxPage is the mailbox for people.
type boxPage struct {
	view.Page
	To    string
	Mails []delivery.BoxMail
}

func (p *Pages) viewMail(x *web.Exchange) error {
	mails, err := p.mails(x, shownLimit)
	if err != nil {
		return err
	}
	b := boxPage{Page: view.For(x, "mailbox.title"), To: wanted(x), Mails: mails}
	b.Wide = true
	return x.HTML(http.StatusOK, mailboxPage(b))
}

// mailPolicy lets a mail be shown as designed: its own style and nothing else, in an origin of its own, so that it can neither load,
// run nor read anything.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// viewDesigned shows the HTML part of one mail by itself.
func (p *Pages) viewDesigned(x *web.Exchange) error {
	mails, err := p.cfg.Mailbox.Mailbox(x.R.Context(), x.Tenant.ID, "", boxLimit)
	if err != nil {
		return err
	}
	for _, m := range mails {
		if m.ID == x.R.PathValue("id") {
			h := x.W.Header()
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Security-Policy", mailPolicy)
			x.W.WriteHeader(http.StatusOK)
			_, _ = x.W.Write([]byte(m.HTML))
			return nil
		}
	}
	return fault.New(fault.NotFound, fault.ReasonNotFound, "this mail is not here any more")
}
