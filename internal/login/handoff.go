package login

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// HandoffLife is how long a session code lives, from its making to the new session.
const HandoffLife = 60 * time.Second

const (
	handoffPath    = "/ui/handoff/" // the second device's page; the code follows
	handoffContext = "session code"
	handoffIDSize  = 16 // bytes
	handoffMACSize = 16 // bytes of the code that cannot be guessed
	handoffSteps   = 5  // a value moves at most three times, so more lost swaps mean a broken store
)

// SessionCode is a new hand-off, as the first device shows it. ID names it without giving access; Code is what the second device claims.
type SessionCode struct {
	ID        string
	Code      secret.Text
	URL       secret.Text // of the second device's page, the code in it
	ExpiresIn time.Duration
}

// CreateCode starts a hand-off of the caller's session. It needs a session that is bound to a key or was proved at most policy Fresh ago
// (403 step_up_required): who finds a signed-in browser must not carry its session away.
func (s *Service) CreateCode(ctx context.Context, call *audit.Call, live session.Live) (SessionCode, error) {
	m, err := s.self(live)
	if err != nil {
		return SessionCode{}, err
	}
	if live.Loaded.Family.Binding == "" {
		if err := s.needFresh(ctx, call, m); err != nil {
			return SessionCode{}, err
		}
	}
	if err := s.spendHandoff(ctx, call, m); err != nil {
		return SessionCode{}, err
	}
	id := base64.RawURLEncoding.EncodeToString(secret.Bytes(handoffIDSize))
	key := s.cfg.Ring.ActiveMAC()
	code, err := s.codeOf(m.tenant, id, key)
	if err != nil {
		return SessionCode{}, fault.From(err)
	}
	h := newHandoff(call, m, code, key)
	if err := s.cfg.Values.Put(ctx, handoffKey(m.tenant, id), h.encode(), call.At, HandoffLife); err != nil {
		return SessionCode{}, fault.From(err)
	}
	s.note(ctx, call, m.trail(eventHandoffMade))
	return s.sessionCode(call, m.tenant, id, code, h), nil
}

func newHandoff(call *audit.Call, m self, code secret.Text, key uint32) handoff {
	f := m.live.Loaded.Family
	return handoff{
		Stage: HandoffOffered, CodeHash: secret.Hash(code.Reveal()), CodeKey: key,
		Confirm:   m.client == nil || !m.client.Settings.HandoffNoConfirm,
		First:     party{Place: call.Place(), Agent: call.Agent},
		ExpiresAt: call.At.Add(HandoffLife),
		Parent: parent{
			ID: f.ID, ClientID: f.ClientID, UserID: m.userID, Epoch: f.Epoch, AuthTime: f.AuthTime, AMR: f.AMR, ACR: f.ACR,
			Absolute: f.AbsoluteExpiry, Hint: accountHint(m.live.Loaded.Holder.Email),
		},
	}
}

func (s *Service) sessionCode(call *audit.Call, t *tenant.Tenant, id string, code secret.Text, h handoff) SessionCode {
	return SessionCode{
		ID: id, Code: code, URL: secret.NewText(s.linkBase(t) + handoffPath + code.Reveal()), ExpiresIn: h.ExpiresAt.Sub(call.At),
	}
}

func (s *Service) spendHandoff(ctx context.Context, call *audit.Call, m self) error {
	var c charges
	c.add(m.tenant, limitHandoffUser, m.tenant.Policy.Limits.Filled().HandoffUser, m.userID)
	if c.err != nil {
		return c.err
	}
	return s.spend(ctx, call, c.list, m.trail(eventHandoffRefused))
}

// codeOf is the code of a hand-off: its id and a MAC of it, so that the first device's page can show it again after a reload although
// only its hash is kept.
func (s *Service) codeOf(t *tenant.Tenant, id string, key uint32) (secret.Text, error) {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(raw) != handoffIDSize {
		return secret.Text{}, codeGone()
	}
	mac, err := s.cfg.Ring.MACWith(key, handoffContext, []byte(t.ID+"\x00"+id))
	if err != nil {
		return secret.Text{}, err
	}
	return secret.NewText(base64.RawURLEncoding.EncodeToString(append(raw, mac[:handoffMACSize]...))), nil
}

// idOf reads the id out of a code; "" for what cannot be one.
func idOf(code secret.Text) string {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(code.Reveal())
	if err != nil || len(raw) != handoffIDSize+handoffMACSize {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw[:handoffIDSize])
}

// handoffKey hides even the id: keys stand in the open in every backend.
func handoffKey(t *tenant.Tenant, id string) string {
	return "handoff:" + hex.EncodeToString(secret.Hash(handoffContext+"\x00"+t.ID+"\x00"+id))
}

// loadHandoff reads a live hand-off and the bytes it was read from. Expired and unknown are the same.
func (s *Service) loadHandoff(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string) (h handoff, raw []byte, err error) {
	if id == "" || len(id) > maxToken {
		return h, nil, codeGone()
	}
	raw, err = s.cfg.Values.Get(ctx, handoffKey(t, id), call.At)
	if err != nil {
		return h, nil, fault.From(err)
	}
	if raw == nil {
		return h, nil, codeGone()
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, nil, fault.From(err)
	}
	return h, raw, nil
}

// moveHandoff takes one step, or hears why not. Whoever loses a swap looks again: the step was somebody else's, and the rule says what
// that means. The refusal of a step that moved is given after it moved.
func (s *Service) moveHandoff(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, take step) (handoff, error) {
	for range handoffSteps {
		h, raw, err := s.loadHandoff(ctx, call, t, id)
		if err != nil {
			return h, err
		}
		next, move, refusal := take(h)
		if !move {
			return h, refusal
		}
		won, err := s.cfg.Values.Swap(ctx, handoffKey(t, id), raw, next.encode(), call.At)
		if err != nil {
			return h, fault.From(err)
		}
		if won && refusal != nil {
			return next, refusal
		}
		if won {
			return next, nil
		}
	}
	return handoff{}, codeGone()
}

// accountHint shows an account to its owner and to nobody who does not know it: the first letter and the domain.
func accountHint(email string) string {
	local, domain, ok := strings.Cut(email, "@")
	if !ok || local == "" {
		return ""
	}
	for _, first := range local {
		return string(first) + "…@" + domain
	}
	return ""
}

// note writes an event on its own. A trail that cannot be written is logged and changes no answer.
func (s *Service) note(ctx context.Context, call *audit.Call, about trail) {
	if err := s.cfg.Recorder.Record(ctx, about.record(call)); err != nil {
		s.cfg.Log.ErrorContext(ctx, "an event could not be recorded", "error", err.Error(), "event", about.kind, "trace", call.Trace)
	}
}
