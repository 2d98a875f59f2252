package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Logout tells an application that one of its sessions has ended here (OpenID Connect Back-Channel Logout 1.0). Its token is made when it is
// sent: one that waited for a receiver would be too old.
type Logout struct {
	Client  string `json:"client"`
	Session string `json:"session"` // sid
	Subject string `json:"subject"`
}

// The timing of back-channel logout. A first retry is soon: a person who has logged out is waiting for it, whether they know or not.
const (
	logoutTimeout = 5 * time.Second // whole exchange with a receiver
	logoutRetry   = time.Second     // doubled on every failure up to lastRetry
	logoutGiveUp  = 24 * time.Hour  // after the session ended
	logoutLife    = 2 * time.Minute // of a token (section 2.4 recommends at most two minutes)
	logoutAtOnce  = 8               // exchanges with one application at a time
	logoutPause   = 2 * time.Second // until a message comes again whose application is busy
	logoutAnswer  = 64 << 10        // bytes
	logoutEvent   = "http://schemas.openid.net/event/backchannel-logout"
)

// EventLogoutLost is a back-channel logout that was given up: the application's own session lives on.
const EventLogoutLost = "logout.undelivered"

const logoutSeal = "outbox logout"

// LogoutSigner signs logout tokens (typ logout+jwt).
type LogoutSigner interface {
	SignLogout(ctx context.Context, t *tenant.Tenant, alg string, at time.Time, claims []byte) (string, error)
}

// LogoutMessage seals l into an outbox row of the tenant, to be sent from wall on.
func LogoutMessage(ring *secret.Ring, wall time.Time, tenantID string, l Logout) (audit.Message, error) {
	plain, err := json.Marshal(l)
	if err != nil {
		return audit.Message{}, err
	}
	sealed, err := ring.Seal(logoutSeal, nil, plain)
	if err != nil {
		return audit.Message{}, err
	}
	return audit.Message{ID: secret.NewID(wall), TenantID: tenantID, Kind: KindLogout, Sealed: sealed, NotBefore: wall}, nil
}

func openLogout(ring *secret.Ring, sealed []byte) (Logout, error) {
	var l Logout
	plain, err := ring.Open(logoutSeal, nil, sealed)
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(plain, &l)
}

// statusError is a receiver's refusal.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("the application answered %d", int(e)) }

// receivers posts logout tokens.
type receivers struct {
	public   *fetch.Fetcher
	internal *fetch.Fetcher // for clients whose operator said that the address is inside

	mu   sync.Mutex
	busy map[[2]string]int // by tenant and client
}

func newReceivers(dev bool) *receivers {
	o := fetch.Options{Timeout: logoutTimeout, MaxBytes: logoutAnswer, MaxRedirects: -1, Loopback: dev}
	inside := o
	inside.Internal = true
	return &receivers{public: fetch.New(o), internal: fetch.New(inside), busy: map[[2]string]int{}}
}

// enter takes one of an application's places; false when all are taken. An application that hangs keeps no other waiting.
func (r *receivers) enter(at [2]string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[at] >= logoutAtOnce {
		return false
	}
	r.busy[at]++
	return true
}

func (r *receivers) leave(at [2]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[at]--; r.busy[at] <= 0 {
		delete(r.busy, at)
	}
}

// logout handles one message beside the round, so that mail does not wait for an application that hangs.
func (w *Worker) logout(ctx context.Context, l Leased) {
	m, err := openLogout(w.cfg.Ring, l.Message.Sealed)
	at := [2]string{l.Message.TenantID, m.Client}
	if err == nil && !w.receivers.enter(at) {
		if err := w.cfg.Store.Retry(ctx, l.Message.ID, w.Now().Add(logoutPause)); err != nil {
			w.report(ctx, slog.LevelWarn, "the outbox cannot be written; the message comes again after its lease", l, err)
		}
		return
	}
	w.beside.Go(func() {
		if err == nil {
			defer w.receivers.leave(at)
		}
		w.handle(ctx, l)
	})
}

// sendLogout posts one logout token. A client that is gone, or has no endpoint any more, is told nothing.
func (w *Worker) sendLogout(ctx context.Context, t *tenant.Tenant, l Leased) error {
	m, err := openLogout(w.cfg.Ring, l.Message.Sealed)
	if err != nil {
		return err
	}
	c := w.cfg.Directory.Client(t.ID, m.Client)
	if c == nil || c.Settings.OAuth.BackchannelLogoutURI == "" {
		return nil
	}
	if w.cfg.Logouts == nil {
		return errors.New("nothing signs logout tokens here")
	}
	text, err := w.logoutToken(ctx, t, c, m)
	if err != nil {
		return err
	}
	to := w.receivers.public
	if c.Settings.OAuth.BackchannelInternal {
		to = w.receivers.internal
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	answer, err := to.Do(ctx, fetch.Request{
		Method: "POST", URL: c.Settings.OAuth.BackchannelLogoutURI,
		Header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:   []byte(url.Values{"logout_token": {text}}.Encode()),
	})
	switch {
	case errors.Is(err, fetch.ErrPrivate), errors.Is(err, fetch.ErrScheme), errors.Is(err, fetch.ErrRedirect):
		return errors.Join(errRefused, err)
	case err != nil:
		return err
	case answer.Status/100 == 3:
		return errors.Join(errRefused, fetch.ErrRedirect)
	case answer.Status/100 != 2:
		return statusError(answer.Status)
	}
	return nil
}

// logoutToken follows section 2.4. It has an id of its own at each try: a receiver that noted one and then failed must not take the next for
// a replay.
func (w *Worker) logoutToken(ctx context.Context, t *tenant.Tenant, c *tenant.Client, m Logout) (string, error) {
	at := t.At(w.Now())
	claims, err := json.Marshal(map[string]any{
		"iss": t.Issuer, "aud": c.ID, "iat": at.Unix(), "exp": at.Add(logoutLife).Unix(), "jti": secret.NewID(at),
		"sub": m.Subject, "sid": m.Session, "events": map[string]any{logoutEvent: struct{}{}},
	})
	if err != nil {
		return "", err
	}
	return w.cfg.Logouts.SignLogout(ctx, t, c.Settings.OAuth.IDTokenAlg, at, claims)
}

// lostLogout is what the trail says of a logout that was given up.
func (w *Worker) lostLogout(l Leased, err error) audit.Record {
	t := w.cfg.Directory.ByID(l.Message.TenantID)
	m, openErr := openLogout(w.cfg.Ring, l.Message.Sealed)
	if t == nil || openErr != nil {
		return audit.Record{}
	}
	at := t.At(w.Now())
	return audit.Record{Events: []audit.Event{{
		ID: secret.NewID(at), TenantID: t.ID, At: at, Type: EventLogoutLost, Reason: logoutClass(err), Subject: m.Subject, Session: m.Session,
		Client: m.Client, Actor: audit.Actor{Kind: "system"},
	}}}
}

// logoutClass says what kind of error err is, without any text of the other side.
func logoutClass(err error) string {
	var refusal statusError
	switch {
	case errors.As(err, &refusal):
		return refusal.Error()
	case errors.Is(err, fetch.ErrPrivate), errors.Is(err, fetch.ErrScheme):
		return "the application's address is not public https"
	case errors.Is(err, fetch.ErrRedirect):
		return fetch.ErrRedirect.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "the application did not answer in time"
	case errors.Is(err, secret.ErrNoKey), errors.Is(err, secret.ErrSealed):
		return "the message does not open"
	}
	return "the application cannot be reached"
}
