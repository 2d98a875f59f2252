package delivery

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTimeout bounds one delivery from the first byte to the last.
const sendTimeout = 45 * time.Second

// errRefused is a mail that will never be accepted: waiting and trying again would only annoy the receiving server.
var errRefused = errors.New("refused for good")

type envelope struct {
	from    string // "Name <address>"
	replyTo string
	to      string
}

// send hands one mail to the server over a connection of its own.
func (s server) send(ctx context.Context, e envelope, r Rendered) error {
	msg, err := compose(e, r)
	if err != nil {
		return err
	}
	client, err := gomail.NewClient(s.host, s.options()...)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	var refusal *gomail.SendError
	if errors.As(err, &refusal) && refusal.Reason == gomail.ErrSMTPRcptTo && refusal.ErrorCode() >= 500 {
		return errors.Join(errRefused, err)
	}
	return err
}

func (s server) options() []gomail.Option {
	o := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(sendTimeout), gomail.WithHELO("gatehouse")}
	switch {
	case s.implicit:
		o = append(o, gomail.WithSSL())
	case s.lax:
		o = append(o, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default: // a network attacker who strips STARTTLS from the greeting must not get one-time links in clear (RFC 3207 section 6)
		o = append(o, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.tls != nil {
		o = append(o, gomail.WithTLSConfig(s.tls))
	}
	if s.user != "" {
		o = append(o, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	return o
}

func compose(e envelope, r Rendered) (*gomail.Msg, error) {
	to, err := oneAddress(e.to)
	if err != nil {
		return nil, err
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := m.From(e.from); err != nil {
		return nil, errors.New("the sender is not an address")
	}
	m.AddToMailAddress(to)
	if e.replyTo != "" {
		if err := m.ReplyTo(e.replyTo); err != nil {
			return nil, errors.New("the reply address is none")
		}
	}
	m.Subject(headerText(r.Subject))
	m.SetDate()
	m.SetMessageID()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers to a login mail
	m.SetBodyString(gomail.TypeTextPlain, r.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, r.HTML)
	return m, nil
}

// oneAddress takes exactly one bare address. An attacker who types "victim@example.com, me@example.org" or smuggles a line break must
// not get a copy of a one-time link.
func oneAddress(to string) (*mail.Address, error) {
	a, err := mail.ParseAddress("<" + to + ">")
	if err != nil || a.Address != to || strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>,;\"\\", r) }) {
		return nil, errors.Join(errRefused, errors.New("the recipient is not one address"))
	}
	return a, nil
}

// headerText makes one line out of anything, because a line break in a header starts another header.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
