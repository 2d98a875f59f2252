package login

import (
	"cmp"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Paths of mailed links; a one-time token follows.
const (
	verifyPath = "/email/verify/"
	resetPath  = "/password/reset/"
)

// templateResetSignup goes to an address that has sign-up attempts and no account, when a reset is asked for.
const templateResetSignup = "reset_signup"

// mailing is one mail to write. It always goes to a normalised address, never to a typed one (see user.NormaliseEmail). Nothing of it is
// chosen by a stranger but the address and the language: a planted name in a mail to a victim would be an attacker's billboard.
type mailing struct {
	to       string
	template string
	locale   string
	path     string      // "" for a notice without a link
	token    secret.Text // one-time
	drop     bool        // written for equal work and never sent
}

func (s *Service) message(call *audit.Call, t *tenant.Tenant, c *tenant.Client, m mailing) (audit.Message, error) {
	mail := delivery.Mail{
		To: m.to, Template: m.template, Locale: cmp.Or(m.locale, t.Policy.Locale), Client: serviceName(t, c),
		Vars: map[string]string{"place": call.Place(), "device": call.Agent, "when": call.At.UTC().Format(time.RFC3339)},
	}
	if m.path != "" {
		mail.Link = s.linkBase(t) + m.path + m.token.Reveal()
	}
	kind := delivery.KindMail
	if m.drop {
		kind = delivery.KindNone
	}
	msg, err := delivery.Message(s.cfg.Ring, call, kind, mail)
	msg.TenantID = t.ID
	return msg, err
}

// linkBase comes from configuration alone. A link built from the Host header would send a victim's token to whoever chose the header.
func (s *Service) linkBase(t *tenant.Tenant) string {
	if isHTTP(t.Issuer) {
		return trimSlash(t.Issuer)
	}
	return s.cfg.PublicURL + "/t/" + t.Slug
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}

func serviceName(t *tenant.Tenant, c *tenant.Client) string {
	if c != nil && c.Name != "" {
		return c.Name
	}
	return t.Name
}

// newToken draws a one-time token and its stored hash. For an inert row the token is drawn all the same and the hash left out, so that
// nothing can ever spend it.
func newToken(inert bool) (secret.Text, []byte) {
	token := secret.NewText(secret.Random(32))
	hash := secret.Hash(token.Reveal())
	if inert {
		return token, nil
	}
	return token, hash
}
