package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

var sample = Mail{
	To: "ada@example.com", Template: TemplateVerify, Locale: "en", Client: "Example Shop",
	Link: "https://login.example.com/email/verify/abc", Code: "123456",
	Vars: map[string]string{"place": "192.0.2.0/24", "device": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "when": "2026-03-05T14:00:00Z"},
}

func TestMailArrivesInTwoPartsOverSTARTTLS(t *testing.T) {
	office := newOffice(t, true)
	r := newRig(t, office.smtp())
	r.run(t)
	r.post(t, r.real, KindMail, sample)
	r.Wake()
	eventually(t, "the mail arrives and its row goes", func() bool { n, _ := r.store.Backlog(t.Context()); return n == 0 && len(office.got()) == 1 })
	got := office.got()[0]
	if !got.tls {
		t.Error("the mail came without TLS although it was offered")
	}
	if diff := cmp.Diff([]string{"ada@example.com"}, got.to); diff != "" {
		t.Error(diff)
	}
	head, parts := parts(t, got.data)
	if head.Get("From") != `"Example Shop" <login@example.com>` || head.Get("Subject") != "Confirm your email address for Example Shop" {
		t.Errorf("headers %v", head)
	}
	for kind, wants := range map[string][]string{
		"text/plain": {sample.Link, sample.Code, "Firefox on Linux", "192.0.2.0/24", "5 March 2026, 14:00 UTC", "Was it not you?"},
		"text/html":  {`href="` + sample.Link + `"`, sample.Code, "Firefox on Linux", "prefers-color-scheme: dark", "Was it not you?"},
	} {
		for _, want := range wants {
			if !strings.Contains(parts[kind], want) {
				t.Errorf("%s lacks %q:\n%s", kind, want, parts[kind])
			}
		}
	}
	if s := r.Stats(); s.Sent != 1 || s.Failed+s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}

func parts(t *testing.T, data string) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the mail is %q (%v)", kind, err)
	}
	out := map[string]string{}
	for mr := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return m.Header, out
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = string(body)
	}
}

func TestNoMailInClearToAnotherHost(t *testing.T) {
	office := newOffice(t, false)
	cfg := office.smtp()
	s, err := parseServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !s.lax {
		t.Fatal("loopback must not need TLS")
	}
	s.lax = false // as for every other host
	if err := s.send(t.Context(), envelope{from: cfg.From, to: "ada@example.com"}, Rendered{Subject: "s", Text: "t", HTML: "h"}); err == nil {
		t.Error("a mail left in clear")
	}
	if n := len(office.got()); n != 0 {
		t.Errorf("%d mails arrived", n)
	}
}

func TestForeignCertificateIsRefused(t *testing.T) {
	office := newOffice(t, true)
	cfg := office.smtp()
	cfg.TLS.RootCAs = newOffice(t, true).roots
	r := newRig(t, cfg)
	r.post(t, r.real, KindMail, sample)
	r.round(t.Context())
	if len(office.got()) != 0 || r.Stats().Failed != 1 {
		t.Errorf("mails %d, stats %+v", len(office.got()), r.Stats())
	}
	if !strings.Contains(r.log.String(), "certificate is not trusted") {
		t.Errorf("log: %s", r.log)
	}
}

func TestTemporaryFailureIsRetriedLater(t *testing.T) {
	office := newOffice(t, true)
	office.refusals = []*smtp.SMTPError{{Code: 451, Message: "later, ada@example.com"}, {Code: 452, Message: "full"}}
	r := newRig(t, office.smtp())
	r.run(t)
	r.post(t, r.real, KindMail, sample)
	for i := range 2 {
		r.Wake()
		eventually(t, "the failure is remembered", func() bool { r.store.mu.Lock(); defer r.store.mu.Unlock(); return len(r.store.retried) == i+1 })
		wait := r.store.retried[i].Sub(r.clock.now())
		if most := firstRetry << i; wait < most/2 || wait > most {
			t.Errorf("retry %d after %v, want %v to %v", i, wait, most/2, most)
		}
		r.clock.move(wait)
	}
	r.Wake()
	eventually(t, "the mail arrives at last", func() bool { return len(office.got()) == 1 })
	if strings.Contains(r.log.String(), "ada") {
		t.Errorf("the log names the recipient: %s", r.log)
	}
}

func TestRefusedRecipientIsGivenUpAtOnce(t *testing.T) {
	office := newOffice(t, true)
	office.refusals = []*smtp.SMTPError{{Code: 550, Message: "no ada@example.com here"}}
	r := newRig(t, office.smtp())
	r.post(t, r.real, KindMail, sample)
	r.round(t.Context())
	if n, _ := r.store.Backlog(t.Context()); n != 0 || r.Stats().Lost != 1 {
		t.Errorf("backlog %d, stats %+v", n, r.Stats())
	}
	if log := r.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "550") || strings.Contains(log, "ada") {
		t.Errorf("log: %s", log)
	}
}

func TestGivenUpAfterThreeDays(t *testing.T) {
	r := newRig(t, SMTP{URL: secret.NewText("smtp://127.0.0.1:1"), From: "login@example.com"})
	r.post(t, r.real, KindMail, sample)
	for range 1000 {
		r.round(t.Context())
		if r.Stats().Lost > 0 {
			break
		}
		r.clock.move(lastRetry)
	}
	if age := r.clock.now().Sub(time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)); age < giveUp || age > giveUp+time.Hour {
		t.Errorf("given up after %v", age)
	}
	if n, _ := r.store.Backlog(t.Context()); n != 0 || !strings.Contains(r.log.String(), "level=ERROR") {
		t.Errorf("backlog %d, log %s", n, r.log)
	}
}

func TestTestTenantsKeepTheirMail(t *testing.T) {
	office := newOffice(t, true)
	r := newRig(t, office.smtp())
	r.post(t, r.test, KindMail, sample)
	r.post(t, r.test, KindNone, sample)
	r.round(t.Context())
	box, _ := r.store.Mailbox(t.Context(), "test", "", 10)
	if len(box) != 1 || len(office.got()) != 0 {
		t.Fatalf("box %d, sent %d", len(box), len(office.got()))
	}
	b := box[0]
	if b.To != sample.To || !cmp.Equal(b.Links, []string{sample.Link}) || !cmp.Equal(b.Codes, []string{sample.Code}) || b.TenantID != "test" {
		t.Errorf("box mail %+v", b)
	}
	if n, _ := r.store.Backlog(t.Context()); n != 0 {
		t.Errorf("backlog %d", n)
	}
}

func TestWithoutServerMailWaits(t *testing.T) {
	r := newRig(t, SMTP{})
	r.post(t, r.real, KindMail, sample)
	r.round(t.Context())
	if n, _ := r.store.Backlog(t.Context()); n != 1 {
		t.Error("a mail was lost because no server was configured")
	}
	r.cfg.Dev = true
	r.clock.move(time.Minute)
	r.round(t.Context())
	if box, _ := r.store.Mailbox(t.Context(), "", "", 1); len(box) != 1 {
		t.Error("in development the mail belongs into the mailbox")
	}
}

func TestUnopenableMessageWaitsForItsKey(t *testing.T) {
	r := newRig(t, SMTP{})
	r.post(t, r.test, KindMail, sample)
	right := r.ring
	r.cfg.Ring = secret.NewRing()
	r.round(t.Context())
	r.cfg.Ring = right
	r.clock.move(time.Minute)
	r.round(t.Context())
	if box, _ := r.store.Mailbox(t.Context(), "", "", 1); len(box) != 1 {
		t.Error("the message was lost while the ring was behind")
	}
}

func TestSixtyFourWorkersDeliverEachOnce(t *testing.T) {
	r := newRig(t, SMTP{})
	const messages = 300
	for i := range messages {
		m := sample
		m.Code = fmt.Sprint(i)
		r.post(t, r.test, KindMail, m)
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			w, err := New(r.cfg)
			if err != nil {
				t.Error(err)
				return
			}
			for w.round(context.Background()) > 0 {
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for _, b := range r.store.box {
		seen[b.Codes[0]]++
	}
	if len(seen) != messages || len(r.store.box) != messages {
		t.Errorf("%d mails, %d different, want %d", len(r.store.box), len(seen), messages)
	}
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	for n, most := range map[int]time.Duration{0: 5 * time.Second, 3: 40 * time.Second, 7: 640 * time.Second, 8: lastRetry, 1000: lastRetry, -1: firstRetry} {
		for range 100 {
			if d := backoff(n); d < most/2 || d > most {
				t.Fatalf("attempt %d waits %v, want %v to %v", n, d, most/2, most)
			}
		}
	}
}

func TestBornReadsTheID(t *testing.T) {
	at := time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)
	l := Leased{Message: audit.Message{ID: secret.NewID(at), NotBefore: at.Add(time.Hour)}}
	if got := born(l); !got.Equal(at) {
		t.Errorf("born %v", got)
	}
}

// TestWhatADeadProcessHadInHand: a lone process delivers it at once, since nobody else can; one of several waits for the end of the lease.
func TestWhatADeadProcessHadInHand(t *testing.T) {
	for _, alone := range []bool{true, false} {
		r := newRig(t, SMTP{})
		r.cfg.Alone = alone
		for range batch + 1 {
			r.post(t, r.test, KindMail, sample)
		}
		if dead, err := r.store.Lease(t.Context(), batch+1, r.clock.now(), leaseFor); err != nil || len(dead) != batch+1 {
			t.Fatalf("%d leased, %v", len(dead), err)
		}
		r.post(t, r.test, KindMail, sample) // what tells that the worker has looked
		r.run(t)
		want := batch + 1
		if alone {
			want = 0
		}
		eventually(t, "the worker has looked", func() bool { n, _ := r.store.Backlog(t.Context()); return n == want })
	}
}

// slow is a store whose mailbox takes its time.
type slow struct {
	*fakeStore
	takes time.Duration
}

func (s slow) PutMail(ctx context.Context, m BoxMail) error {
	time.Sleep(s.takes)
	return s.fakeStore.PutMail(ctx, m)
}

// TestLeaseLastsAsLongAsTheDelivery: what is in hand is nobody else's, however long it takes; what was in the hands of the dead is soon.
func TestLeaseLastsAsLongAsTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, SMTP{})
		r.cfg.Store, r.Now, r.clock.at = slow{r.store, sendTimeout - time.Second}, time.Now, time.Now()
		other := &Worker{Now: time.Now, cfg: r.cfg}
		other.cfg.Store = r.store
		r.post(t, r.test, KindMail, sample)
		done := make(chan struct{})
		go func() { defer close(done); r.round(t.Context()) }()
		synctest.Wait()
		for range 43 {
			time.Sleep(time.Second)
			if other.round(t.Context()) != 0 {
				t.Fatal("a message in hand was handed to another worker")
			}
		}
		<-done
		if n, _ := r.store.Backlog(t.Context()); n != 0 || len(r.store.box) != 1 {
			t.Errorf("%d messages wait, %d mails came", n, len(r.store.box))
		}
		r.post(t, r.test, KindMail, sample)
		if dead, err := r.store.Lease(t.Context(), 1, time.Now(), leaseFor); err != nil || len(dead) != 1 {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if other.round(t.Context()) != 1 {
			t.Error("30 s after its node died a message is still nobody's")
		}
	})
}
