package delivery

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// postOffice is a mail server in the process.
type postOffice struct {
	mu       sync.Mutex
	mails    []posted
	refusals []*smtp.SMTPError // given to the next recipients, one each
	roots    *x509.CertPool
	addr     string
}

type posted struct {
	from string
	to   []string
	data string
	tls  bool
}

type mailSession struct {
	office *postOffice
	conn   *smtp.Conn
	mail   posted
}

func (o *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{office: o, conn: c}, nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.mail.from = from; return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if len(s.office.refusals) > 0 {
		e := s.office.refusals[0]
		s.office.refusals = s.office.refusals[1:]
		return e
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, s.mail.tls = s.conn.TLSConnectionState()
	s.mail.data = string(raw)
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails = append(s.office.mails, s.mail)
	return nil
}

func (s *mailSession) Reset()        { s.mail = posted{} }
func (s *mailSession) Logout() error { return nil }

func (o *postOffice) got() []posted {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]posted(nil), o.mails...)
}

// newOffice opens a mail server; withTLS lets it offer STARTTLS.
func newOffice(t *testing.T, withTLS bool) *postOffice {
	t.Helper()
	o := &postOffice{roots: x509.NewCertPool()}
	srv := smtp.NewServer(o)
	srv.Domain = "localhost"
	if withTLS {
		srv.TLSConfig = o.certify(t)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = ln.Addr().String()
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return o
}

func (o *postOffice) certify(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := x509.ParseCertificate(der)
	o.roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func (o *postOffice) smtp() SMTP {
	return SMTP{
		URL: secret.NewText("smtp://" + o.addr), From: "Example Shop <login@example.com>",
		TLS: &tls.Config{RootCAs: o.roots, ServerName: "localhost"},
	}
}
