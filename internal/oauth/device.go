package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Device authorization (RFC 8628).
const (
	DeviceLife     = 10 * time.Minute
	DeviceInterval = 5 * time.Second // section 3.5: what a device waits between two questions, and is told to wait more
	// userCodeLetters are easy to read and to type, and spell no words (section 6.1): 20^8 codes.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

// Limits on new authorizations, and on guessed user codes (section 5.1). A good code is given back.
var (
	askNetwork   = ephemeral.Limit{N: 30, Window: time.Minute} // rows that anybody who knows a public client may make
	guessNetwork = ephemeral.Limit{N: 10, Window: time.Minute}
	guessUser    = ephemeral.Limit{N: 20, Window: time.Hour}
)

// DeviceAuthorize begins a device authorization for a client that was authenticated as it must be (section 3.1). proof is the thumbprint of a
// valid DPoP proof, "" for none: then only that key may redeem what comes of it.
func (s *Service) DeviceAuthorize(ctx context.Context, call *audit.Call, t *tenant.Tenant, q TokenRequest) (DeviceAnswer, error) {
	c := q.Client
	if c == nil || !q.Authenticated && !c.Public() {
		return DeviceAnswer{}, badClient()
	}
	if !c.MayGrant(tenant.GrantDevice) {
		return DeviceAnswer{}, invalid(fault.ReasonOAuthUnauthorized, "this application may not use device codes")
	}
	scope, ok := scopesFor(c, q.Scope)
	if !ok {
		return DeviceAnswer{}, invalid(fault.ReasonOAuthScope, "this application may not ask for that scope")
	}
	if !resourcesFor(c, q.Resource) {
		return DeviceAnswer{}, invalid(fault.ReasonOAuthTarget, "this application may not ask for tokens for that resource")
	}
	if err := s.limitAsking(ctx, call, t); err != nil {
		return DeviceAnswer{}, err
	}
	code := secret.Random(32)
	d := Device{
		TenantID: t.ID, Hash: secret.Hash(code), ClientID: c.ID, Scope: scope, Resource: q.Resource, DPoPKey: q.Proof, Place: call.Place(), Agent: call.Agent,
		Stage: DevicePending, CreatedAt: call.At, ExpiresAt: call.At.Add(DeviceLife), IntervalS: int64(DeviceInterval / time.Second), Version: 1,
	}
	shown, err := s.addDevice(ctx, call, &d)
	if err != nil {
		return DeviceAnswer{}, err
	}
	page, complete := s.devicePage(t, shown)
	return DeviceAnswer{DeviceCode: secret.NewText(code), UserCode: shown, Page: page, Complete: complete, Life: DeviceLife, Interval: DeviceInterval}, nil
}

func (s *Service) limitAsking(ctx context.Context, call *audit.Call, t *tenant.Tenant) error {
	if call.Loopback {
		return nil
	}
	charge := ephemeral.Charge{Name: "device_ask", Key: "device:" + t.ID + ":a:" + secret.H1(call.Network()), Limit: askNetwork}
	v, err := s.cfg.Back.Limits.Take(ctx, []ephemeral.Charge{charge}, call.At)
	if err == nil && v.Refused != "" {
		err = fault.New(fault.Limited, fault.ReasonLimited, "too many devices ask from here; please wait").After(v.RetryAfter)
	}
	return err
}

// addDevice draws user codes until one is free, which the first almost always is.
func (s *Service) addDevice(ctx context.Context, call *audit.Call, d *Device) (shown string, err error) {
	for range maxTries {
		letters := drawUserCode()
		shown = letters[:userCodeLength/2] + "-" + letters[userCodeLength/2:]
		if d.Pepper, d.UserCode, err = s.cfg.Back.Ring.Pepper(userCodeContext(d.TenantID), []byte(letters)); err != nil {
			return "", fault.From(err)
		}
		if err = s.cfg.Back.Devices.Add(ctx, *d, one(event(call, EventDevice, d.ClientID))); fault.From(err) == nil || fault.From(err).Kind != fault.Conflict {
			break
		}
	}
	return shown, err
}

func userCodeContext(tenantID string) string { return "device user code " + tenantID }

// drawUserCode gives letters without bias: bytes beyond the last whole multiple are thrown away.
func drawUserCode() string {
	const n = len(userCodeLetters)
	var b strings.Builder
	for b.Len() < userCodeLength {
		for _, x := range secret.Bytes(userCodeLength) {
			if int(x) < 256/n*n && b.Len() < userCodeLength {
				b.WriteByte(userCodeLetters[int(x)%n])
			}
		}
	}
	return b.String()
}

// ReadUserCode gives the letters of a code as people type it: any case, with or without hyphen and blanks. False for what is none.
func ReadUserCode(typed string) (string, bool) {
	var b strings.Builder
	for _, c := range strings.ToUpper(typed) {
		switch {
		case c == '-' || c == ' ':
		case strings.ContainsRune(userCodeLetters, c) && b.Len() < userCodeLength:
			b.WriteRune(c)
		default:
			return "", false
		}
	}
	return b.String(), b.Len() == userCodeLength
}

func noDevice() *fault.Error {
	return fault.New(fault.Gone, fault.ReasonGone, "this code is wrong, used or expired; look at your device again")
}

// DeviceByCode gives the pending authorization of a code that a person typed, and its client, for the page that asks for consent. Guesses are
// limited per network and per person; userID is "" for one who has not signed on.
func (s *Service) DeviceByCode(ctx context.Context, call *audit.Call, t *tenant.Tenant, typed, userID string) (Device, *tenant.Client, error) {
	charges := s.guessCharges(call, t, userID)
	v, err := s.cfg.Back.Limits.Take(ctx, charges, call.At)
	if err != nil {
		return Device{}, nil, err
	}
	if v.Refused != "" {
		return Device{}, nil, fault.New(fault.Limited, fault.ReasonLimited, "too many codes were tried; please wait").After(v.RetryAfter)
	}
	letters, ok := ReadUserCode(typed)
	if !ok {
		return Device{}, nil, noDevice()
	}
	_, hash, err := s.cfg.Back.Ring.Pepper(userCodeContext(t.ID), []byte(letters))
	if err != nil {
		return Device{}, nil, fault.From(err)
	}
	d, err := s.cfg.Back.Devices.ByUser(ctx, t.ID, hash, call.At)
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return Device{}, nil, noDevice()
	}
	if err != nil {
		return Device{}, nil, err
	}
	c := s.cfg.Directory.Client(t.ID, d.ClientID)
	if c == nil || d.Stage != DevicePending || !call.At.Before(d.ExpiresAt) || !c.MayGrant(tenant.GrantDevice) {
		return Device{}, nil, noDevice()
	}
	if err := s.cfg.Back.Limits.GiveBack(ctx, charges, call.At); err != nil {
		return Device{}, nil, err
	}
	return d, c, s.mayAllow(ctx, t, c, userID)
}

// mayAllow refuses a person who is signed on and may not enter the device's application. The device goes on waiting: whoever holds it may
// have somebody else answer.
func (s *Service) mayAllow(ctx context.Context, t *tenant.Tenant, c *tenant.Client, userID string) error {
	if userID == "" {
		return nil
	}
	stranger, err := s.stranger(ctx, t, c, userID)
	if err == nil && stranger {
		err = session.NotRegistered()
	}
	return err
}

func (s *Service) guessCharges(call *audit.Call, t *tenant.Tenant, userID string) []ephemeral.Charge {
	var list []ephemeral.Charge
	if !call.Loopback {
		list = append(list, ephemeral.Charge{Name: "device_network", Key: "device:" + t.ID + ":n:" + secret.H1(call.Network()), Limit: guessNetwork})
	}
	if userID != "" {
		list = append(list, ephemeral.Charge{Name: "device_user", Key: "device:" + t.ID + ":u:" + userID, Limit: guessUser})
	}
	return list
}

// AllowDevice lets the device in as the person who is signed on, with the scopes they allow of those asked for. Of several answers to one code
// the first counts.
func (s *Service) AllowDevice(ctx context.Context, call *audit.Call, t *tenant.Tenant, d Device, live *sso.Live, scopes []string) error {
	if live == nil {
		return over()
	}
	if !within(scopes, d.Scope) {
		return invalid(fault.ReasonOAuthScope, "that was not asked for")
	}
	c := s.cfg.Directory.Client(t.ID, d.ClientID)
	if c == nil {
		return noDevice()
	}
	if err := s.mayAllow(ctx, t, c, live.User.ID); err != nil {
		return err
	}
	n := &live.Session
	to := d
	to.Stage, to.UserID, to.Epoch, to.SSOID, to.AuthTime, to.AMR, to.ACR, to.Scope = DeviceAllowed, live.User.ID, n.Epoch, n.ID, n.AuthTime, n.AMR, n.ACR, scopes
	return s.answerDevice(ctx, call, d, to)
}

// RefuseDevice tells the device that the person said no.
func (s *Service) RefuseDevice(ctx context.Context, call *audit.Call, t *tenant.Tenant, d Device, live *sso.Live) error {
	to := d
	to.Stage = DeviceRefused
	if live != nil {
		to.UserID = live.User.ID
	}
	return s.answerDevice(ctx, call, d, to)
}

// answerDevice swaps the answer in. The device asks every few seconds and each question moves the version, so a lost swap is looked at again.
func (s *Service) answerDevice(ctx context.Context, call *audit.Call, d, to Device) error {
	e := event(call, EventDeviceSaid, d.ClientID)
	e.Subject, e.Person, e.Detail = to.UserID, call.Personal(""), map[string]string{"answer": string(to.Stage)}
	for range maxTries {
		if d.Stage != DevicePending || !call.At.Before(d.ExpiresAt) {
			return noDevice()
		}
		won, err := s.cfg.Back.Devices.Swap(ctx, d, to, one(e))
		if err != nil || won {
			return err
		}
		if d, err = s.cfg.Back.Devices.ByDevice(ctx, d.TenantID, d.Hash); err != nil {
			return err
		}
		to.PolledAt, to.IntervalS = d.PolledAt, d.IntervalS
	}
	return fault.New(fault.Conflict, fault.ReasonConflict, "please try again")
}

// byDevice answers a device that asks (section 3.4 and 3.5).
func (s *Service) byDevice(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error) {
	if q.DeviceCode.IsZero() {
		return TokenAnswer{}, badRequest("device_code is missing")
	}
	d, err := s.cfg.Back.Devices.ByDevice(ctx, t.ID, secret.Hash(q.DeviceCode.Reveal()))
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return TokenAnswer{}, badDevice()
	}
	if err != nil {
		return TokenAnswer{}, err
	}
	switch {
	case d.ClientID != q.Client.ID, d.Stage == DeviceSpent:
		return TokenAnswer{}, badDevice()
	case d.DPoPKey != "" && d.DPoPKey != q.Proof && !weak.Off("device-key"): // phished, or seen on the way
		return TokenAnswer{}, badDevice()
	case !call.At.Before(d.ExpiresAt):
		return TokenAnswer{}, invalid(fault.ReasonOAuthExpired, "the device code has expired")
	case d.Stage == DeviceRefused:
		return TokenAnswer{}, invalid(fault.ReasonOAuthDenied, "the person did not allow it")
	case d.Stage == DevicePending:
		return TokenAnswer{}, s.waiting(ctx, call, d)
	}
	return s.redeem(ctx, call, t, q, d)
}

func badDevice() *fault.Error {
	return badGrant("the device code is unknown, used, or another application's")
}

// waiting notes the question. A device that asks too soon is told to slow down, and its interval grows by five seconds.
func (s *Service) waiting(ctx context.Context, call *audit.Call, d Device) error {
	to := d
	to.PolledAt = call.At
	refusal := invalid(fault.ReasonOAuthPending, "the person has not answered yet")
	if !d.PolledAt.IsZero() && call.At.Sub(d.PolledAt) < time.Duration(d.IntervalS)*time.Second {
		to.IntervalS = min(d.IntervalS+5, 60)
		refusal = invalid(fault.ReasonOAuthSlowDown, "the device asks too often")
	}
	if _, err := s.cfg.Back.Devices.Swap(ctx, d, to, audit.Record{}); err != nil { // lost to an answer: the next question finds it
		return err
	}
	return refusal
}

// redeem opens the session of an allowed device. Of any number that ask at once, one gets it.
func (s *Service) redeem(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest, d Device) (TokenAnswer, error) {
	audience, err := narrowed(q, &Code{Resource: d.Resource})
	if err != nil {
		return TokenAnswer{}, err
	}
	u, err := s.holder(ctx, t, q.Client, d.UserID)
	if err != nil {
		return TokenAnswer{}, err
	}
	u.Epoch = d.Epoch
	req := s.opening(call, t, q, u, d.Scope)
	req.AuthTime, req.AMR, req.ACR, req.SSOID, req.Audience, req.AccessAudience = d.AuthTime, d.AMR, d.ACR, d.SSOID, d.Resource, audience
	tokens, err := s.cfg.Back.Sessions.OpenWith(ctx, call, req,
		func(ctx context.Context, f session.Family, register *user.Registration, rec audit.Record) error {
			won, err := s.cfg.Back.Devices.Redeem(ctx, d, f, register, rec)
			if err == nil && !won {
				return badDevice()
			}
			return err
		})
	if err != nil {
		return TokenAnswer{}, asGrant(err)
	}
	return s.tokens(ctx, call, t, answered{client: q.Client, tokens: &tokens, hand: offline(q.Client, d.Scope)})
}
