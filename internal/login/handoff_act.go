package login

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// HandoffView is a hand-off as its first device sees it.
type HandoffView struct {
	SessionCode
	Stage HandoffStage
	Place string // of the second device, once there is one
	Agent string
}

// Offer is a session code as a second device sees it before it claims.
type Offer struct {
	ClientID string
	Hint     string // of the account
	Place    string // of the first device
	Confirm  bool   // the first device will be asked for a number
}

// Claim is a claimed code. Without confirmation it is the session at once, and the rest is empty.
type Claim struct {
	ID     string
	Secret secret.Text
	Number string // to be typed on the first device
	Hint   string
	Place  string
	Tokens *session.Tokens
}

// Redemption is the state of a claim: waiting for the first device, or the session.
type Redemption struct {
	ClientID string
	Number   string // as at the claim
	Hint     string
	Place    string
	Waiting  bool            // for the first device
	Tokens   *session.Tokens // nil while it waits, and from PeekClaim always
}

// ClaimRequest claims a session code.
type ClaimRequest struct {
	Tenant  *tenant.Tenant
	Client  *tenant.Client
	Code    secret.Text
	Binding string // thumbprint of the proved key that the new session is bound to, "" for none
}

// RedeemRequest redeems a claim.
type RedeemRequest struct {
	Tenant *tenant.Tenant
	Client *tenant.Client
	ID     string
	Secret secret.Text
	// Binding is the thumbprint of a proved key, "" for none. It must be the key of the claim; where that had none, the session is bound to it.
	Binding string
}

// ViewCode shows a hand-off to the session that made it; Gone to everybody else and when it has expired. It changes nothing.
func (s *Service) ViewCode(ctx context.Context, call *audit.Call, live session.Live, id string) (HandoffView, error) {
	m, err := s.self(live)
	if err != nil {
		return HandoffView{}, err
	}
	h, _, err := s.loadHandoff(ctx, call, m.tenant, id)
	if err != nil {
		return HandoffView{}, err
	}
	if h.Parent.ID != live.Loaded.Family.ID {
		return HandoffView{}, codeGone()
	}
	code, err := s.codeOf(m.tenant, id, h.CodeKey)
	if err != nil {
		return HandoffView{}, fault.From(err)
	}
	v := HandoffView{SessionCode: s.sessionCode(call, m.tenant, id, code, h), Stage: h.Stage, Place: h.Second.Place}
	v.Agent = h.Second.Agent
	return v, nil
}

// OfferOf shows a code that may still be claimed; Gone otherwise. It changes nothing, so a link scanner takes nothing away.
func (s *Service) OfferOf(ctx context.Context, call *audit.Call, t *tenant.Tenant, code secret.Text) (Offer, error) {
	h, _, err := s.loadHandoff(ctx, call, t, idOf(code))
	if err != nil {
		return Offer{}, err
	}
	if h.Stage != HandoffOffered || !fits(h.CodeHash, code.Reveal()) {
		return Offer{}, codeGone()
	}
	return Offer{ClientID: h.Parent.ClientID, Hint: h.Parent.Hint, Place: h.First.Place, Confirm: h.Confirm}, nil
}

// ClaimCode claims a session code for the calling device, once. With the client's confirmation off it gives the session; else a number
// for the person to type on the first device, and the secret that the session is later given to. Reasons: gone (410), wrong_client (403),
// invalid_dpop_proof (401: the client must bind its sessions, and no key was proved; the code may still be claimed).
func (s *Service) ClaimCode(ctx context.Context, call *audit.Call, r ClaimRequest) (Claim, error) {
	if r.Binding == "" && r.Client.Settings.OAuth.DPoPRequired {
		return Claim{}, fault.New(fault.Unauthenticated, fault.ReasonOAuthProof, "this application must bind its sessions to a key")
	}
	id, claimSecret, number := idOf(r.Code), secret.NewText(secret.Random(32)), secret.Digits(2)
	second := party{Place: call.Place(), Agent: call.Agent, Key: r.Binding}
	h, err := s.moveHandoff(ctx, call, r.Tenant, id, claim(r.Code.Reveal(), r.Client.ID, second, secret.Hash(claimSecret.Reveal()), number))
	about := handoffTrail(eventHandoffClaimed, r.Tenant, h)
	if err != nil {
		return Claim{}, s.handoffRefusal(ctx, call, h, about, err)
	}
	s.note(ctx, call, about)
	out := Claim{ID: id, Hint: h.Parent.Hint, Place: h.First.Place}
	if h.Stage == HandoffTaken {
		tokens, err := s.openChild(ctx, call, r.Tenant, r.Client, h)
		if err != nil {
			return Claim{}, err
		}
		return Claim{Hint: out.Hint, Place: out.Place, Tokens: &tokens}, nil
	}
	out.Secret, out.Number = claimSecret, number
	return out, nil
}

// ConfirmCode takes the number that the person typed on the first device, one try. Reasons: wrong_number (403; the hand-off is over), gone
// (410), conflict (409: nobody has claimed the code yet; the try is not used up).
func (s *Service) ConfirmCode(ctx context.Context, call *audit.Call, live session.Live, id, number string) error {
	m, err := s.self(live)
	if err != nil {
		return err
	}
	h, err := s.moveHandoff(ctx, call, m.tenant, id, confirm(live.Loaded.Family.ID, number))
	if err != nil {
		return s.handoffRefusal(ctx, call, h, m.trail(eventHandoffConfirm), err)
	}
	s.note(ctx, call, m.trail(eventHandoffConfirm))
	return nil
}

// PeekClaim tells how a claim stands and changes nothing.
func (s *Service) PeekClaim(ctx context.Context, call *audit.Call, r RedeemRequest) (Redemption, error) {
	h, _, err := s.loadHandoff(ctx, call, r.Tenant, r.ID)
	if err != nil {
		return Redemption{}, err
	}
	client := h.Parent.ClientID
	if r.Client != nil {
		client = r.Client.ID
	}
	_, _, refusal := redeem(r.Secret.Reveal(), client, r.Binding, weak.Off("handoff-confirm"))(h)
	if refusal != nil && refusal.Reason != fault.ReasonPending {
		return Redemption{}, refusal
	}
	out := h.redemption()
	out.Waiting = refusal != nil
	return out, nil
}

func (h handoff) redemption() Redemption {
	return Redemption{ClientID: h.Parent.ClientID, Number: h.Number, Hint: h.Parent.Hint, Place: h.First.Place}
}

// RedeemClaim gives the session of a confirmed claim, once, or says that it waits. Reasons: wrong_number (403), gone (410; also when the
// session it comes from has ended meanwhile), wrong_client (403), binding_mismatch (401: the claim was made with another key; it waits on).
func (s *Service) RedeemClaim(ctx context.Context, call *audit.Call, r RedeemRequest) (Redemption, error) {
	h, err := s.moveHandoff(ctx, call, r.Tenant, r.ID, redeem(r.Secret.Reveal(), r.Client.ID, r.Binding, weak.Off("handoff-confirm")))
	if fault.ReasonOf(err) == fault.ReasonPending {
		out := h.redemption()
		out.Waiting = true
		return out, nil
	}
	if err != nil {
		return Redemption{}, err
	}
	tokens, err := s.openChild(ctx, call, r.Tenant, r.Client, h)
	if err != nil {
		return Redemption{}, err
	}
	out := h.redemption()
	out.Tokens = &tokens
	return out, nil
}

// openChild opens the second device's own session: it inherits how and when the person was proved and how long the parent may live, ends
// with the parent, and its owner is told by mail in the same transaction. It is bound to its own device's key, never to the parent's.
func (s *Service) openChild(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, h handoff) (session.Tokens, error) {
	u, err := s.cfg.Users.Get(ctx, t.ID, h.Parent.UserID, c.ID)
	if err != nil {
		return session.Tokens{}, endedParent(err)
	}
	if u.Epoch != h.Parent.Epoch {
		return session.Tokens{}, codeGone()
	}
	to := u.PrimaryEmail().Value
	notice, err := s.message(call, t, c, mailing{to: to, template: delivery.TemplateHandoff, locale: u.Locale, drop: to == ""})
	if err != nil {
		return session.Tokens{}, fault.From(err)
	}
	tokens, err := s.cfg.Sessions.Open(ctx, call, session.OpenRequest{
		Tenant: t, Client: c, User: &u, AuthTime: h.Parent.AuthTime, AMR: h.Parent.AMR, ACR: h.Parent.ACR,
		ParentID: h.Parent.ID, AbsoluteExpiry: h.Parent.Absolute, Binding: h.Second.Key, Messages: []audit.Message{notice},
	})
	if err != nil {
		return session.Tokens{}, endedParent(err)
	}
	return tokens, nil
}

// endedParent tells the second device that its code is worth nothing any more, whichever end of the person or the session was the cause.
func endedParent(err error) error {
	switch fault.ReasonOf(err) {
	case fault.ReasonSessionRevoked, fault.ReasonUserChanged, fault.ReasonNotFound:
		return fault.Wrap(fault.Gone, fault.ReasonGone, "the session that this code comes from has ended", err)
	}
	return fault.From(err)
}

func handoffTrail(kind string, t *tenant.Tenant, h handoff) trail {
	return trail{kind: kind, tenant: t, client: h.Parent.ClientID, subject: h.Parent.UserID, session: h.Parent.ID}
}

// handoffRefusal records a refusal about a hand-off that exists: events cost a write, and made-up codes must not buy any. That nobody has
// claimed yet is no refusal.
func (s *Service) handoffRefusal(ctx context.Context, call *audit.Call, h handoff, about trail, err error) error {
	e := fault.From(err)
	if h.Parent.ID == "" || e.Kind != fault.Gone && e.Kind != fault.Forbidden {
		return e
	}
	about.kind = eventHandoffRefused
	return s.refused(ctx, call, about, e)
}
