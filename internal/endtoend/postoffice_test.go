package endtoend

import (
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// postOffice is the mail server of tenants that are no test tenants. It keeps mails in memory, so that the server's store holds none.
type postOffice struct {
	mu    sync.Mutex
	mails map[string][]string // raw, by recipient
	url   string
}

type postSession struct {
	office *postOffice
	to     string
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{mails: map[string][]string{}, url: "smtp://" + l.Addr().String()}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &postSession{office: o}, nil }))
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return o
}

func (s *postSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }
func (s *postSession) Reset()                                    {}
func (s *postSession) Logout() error                             { return nil }

func (s *postSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails[s.to] = append(s.office.mails[s.to], string(raw))
	return err
}

var mailedLink = regexp.MustCompile(`/(?:email/verify|password/reset)/[A-Za-z0-9_-]{43}`)

// link waits for the n-th mail (from 1) to an address and gives the path of its link.
func (o *postOffice) link(t *testing.T, to string, n int) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		o.mu.Lock()
		mails := o.mails[to]
		o.mu.Unlock()
		if len(mails) < n {
			continue
		}
		plain := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(mails[n-1])
		if l := mailedLink.FindString(plain); l != "" {
			return l
		}
		t.Fatalf("mail %d has no link", n)
	}
	t.Fatalf("mail %d never came", n)
	return ""
}
