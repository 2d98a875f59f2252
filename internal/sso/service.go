package sso

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Why sign-on sessions end, beside what other rooms say.
const (
	EndedByLogout = session.EndedByLogout
	EndedBySwitch = "switched_user" // somebody else signed on in the same browser
)

// touchEvery is how coarse LastSeen is: each write is a sync of the disk.
const touchEvery = time.Minute

// maxTries bounds load-decide-swap; every loser loses to somebody who went on.
const maxTries = 8

// Config of the room. The zero value is good for tests.
type Config struct {
	Log *slog.Logger
}

// Service opens, finds and ends sign-on sessions. Safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New makes the service.
func New(store Store, cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Service{store: store, cfg: cfg}
}

// Proof is a person who has just been proved.
type Proof struct {
	User     *user.User
	AuthTime time.Time // call.At when zero
	AMR      []string  // RFC 8176 values
	ACR      string
	Device   string // known-device id, "" for none
}

// Lives of a sign-on session when the tenant says nothing, in seconds.
const (
	DefaultIdleS int64 = 86400
	DefaultMaxS  int64 = 30 * 86400
)

// limits gives both limits of a session proved at the instant.
func limits(t *tenant.Tenant, at time.Time) (idle, absolute time.Time) {
	o := &t.Policy.OAuth
	idleS, maxS := o.SSOIdleS, o.SSOMaxS
	if idleS == 0 {
		idleS = DefaultIdleS
	}
	if maxS == 0 {
		maxS = DefaultMaxS
	}
	absolute = at.Add(time.Duration(maxS) * time.Second)
	return earlier(at.Add(time.Duration(idleS)*time.Second), absolute), absolute
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// refused is a refusal of a cookie; what to say to people is the face's to know.
func refused(reason fault.Reason) error {
	return fault.New(fault.Unauthenticated, reason, "you are not signed on here any more")
}

// Find gives the sign-on session of a cookie. It is refused (Unauthenticated) with ReasonMissingToken, ReasonSessionExpired,
// ReasonSessionRevoked (ended, unknown, or the user's epoch was raised) or ReasonUserDisabled. Activity is noted at most once a minute.
func (s *Service) Find(ctx context.Context, call *audit.Call, t *tenant.Tenant, cookie secret.Text) (Live, error) {
	if cookie.IsZero() {
		return Live{}, refused(fault.ReasonMissingToken)
	}
	for range maxTries {
		live, err := s.look(ctx, call, t, cookie)
		if err != nil {
			return Live{}, err
		}
		if call.At.Sub(live.Session.LastSeen) < touchEvery {
			return live, nil
		}
		idle, _ := limits(t, call.At)
		idle = earlier(idle, live.Session.AbsoluteExpiry)
		ok, err := s.store.Touch(ctx, live.Session, call.At, idle)
		if err != nil {
			return Live{}, err
		}
		if ok {
			live.Session.LastSeen, live.Session.IdleExpiry = call.At, idle
			return live, nil
		}
	}
	return Live{}, fault.New(fault.Unavailable, fault.ReasonBusy, "please try again").After(time.Second)
}

func (s *Service) look(ctx context.Context, call *audit.Call, t *tenant.Tenant, cookie secret.Text) (Live, error) {
	live, err := s.store.ByHash(ctx, t.ID, secret.Hash(cookie.Reveal()))
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return Live{}, refused(fault.ReasonSessionRevoked)
	}
	if err != nil {
		return Live{}, err
	}
	if reason := deadBecause(&live, call.At); reason != "" {
		return Live{}, refused(reason)
	}
	return live, nil
}

// deadBecause is the one judgement of a sign-on session, "" for a live one.
func deadBecause(l *Live, at time.Time) fault.Reason {
	s := &l.Session
	switch {
	case !s.RevokedAt.IsZero():
		return fault.ReasonSessionRevoked
	case l.User.Status != user.Active:
		return fault.ReasonUserDisabled
	case l.User.Epoch != s.Epoch:
		return fault.ReasonSessionRevoked
	case !at.Before(s.IdleExpiry), !at.Before(s.AbsoluteExpiry):
		return fault.ReasonSessionExpired
	}
	return ""
}

// List gives a user's live sign-on sessions, newest first.
func (s *Service) List(ctx context.Context, call *audit.Call, t *tenant.Tenant, userID string) ([]Session, error) {
	return s.store.List(ctx, t.ID, userID, call.At)
}
