package delivery

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Directory is what the worker asks about tenants: tenant.Directory.
type Directory interface {
	ByID(id string) *tenant.Tenant
	Client(tenantID, clientID string) *tenant.Client
}

// Config is what a Worker needs. Times are the machine's.
type Config struct {
	Store     Store
	Ring      *secret.Ring
	Directory Directory
	Now       func() time.Time
	Log       *slog.Logger
	SMTP      SMTP // zero: no mail server
	Alone     bool // no other process works on this store
	Dev       bool // without a mail server, mail goes to the development mailbox; back-channel logout reaches loopback

	Logouts LogoutSigner // nil: back-channel logouts wait in the outbox
}

// SMTP says how mail leaves. URL is smtp://[user:password@]host[:port] (STARTTLS, which is mandatory unless the host is a loopback
// address or Insecure is set) or smtps://… (TLS from the first byte). The password is percent-encoded as in every URL.
type SMTP struct {
	URL      secret.Text
	From     string      // address or "Name <address>"; a tenant's own goes before it
	Insecure bool        // development: STARTTLS is used where offered, and not missed where not
	TLS      *tls.Config // nil: the system's roots and the host's name
}

// Validate names every fault of the configuration. It never shows the URL, which may hold a password.
func (c SMTP) Validate() error {
	if c.URL.IsZero() {
		return nil
	}
	_, err := parseServer(c)
	if _, fromErr := mail.ParseAddress(c.From); fromErr != nil {
		err = errors.Join(err, errors.New(`smtp.from: want "address" or "Name <address>"`))
	}
	return err
}

// server is a parsed SMTP.URL.
type server struct {
	host     string
	port     int
	implicit bool // smtps
	lax      bool // STARTTLS may be missing
	user     string
	password string
	tls      *tls.Config
}

func parseServer(c SMTP) (server, error) {
	u, err := url.Parse(c.URL.Reveal())
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return server{}, errors.New("smtp.url: want smtp://[user:password@]host[:port] or smtps://…")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return server{}, errors.New("smtp.url: nothing may follow the port")
	}
	s := server{host: u.Hostname(), implicit: u.Scheme == "smtps", user: u.User.Username(), tls: c.TLS}
	s.password, _ = u.User.Password()
	s.lax = c.Insecure || loopback(s.host)
	s.port = 587
	if s.implicit {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return server{}, fmt.Errorf("smtp.url: port %q is none", p)
		}
	}
	return s, nil
}

// loopback trusts addresses and the one name that RFC 6761 section 6.3 reserves; no resolver is asked.
func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	return host == "localhost"
}
