package login

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Names of limits, as configuration has them; they stand in events and metrics.
const (
	limitPasswordNetwork        = "password_network"
	limitPasswordNetworkAccount = "password_network_account"
	limitPasswordAccount        = "password_account"
	limitPasswordDevice         = "password_device"
	limitMailNetwork            = "mail_network"
	limitMailAddress            = "mail_address"
	limitHandoffUser            = "handoff_user"
)

// passwordCharges are what one guess at the account costs. A known device of the account is charged apart from everybody else, by itself
// alone: neither strangers far away nor colleagues behind the same address translator can use up its owner's tries. Calls from loopback in
// development have no network limits.
func passwordCharges(call *audit.Call, t *tenant.Tenant, email string) ([]ephemeral.Charge, error) {
	l := t.Policy.Limits.Filled()
	var c charges
	if knownDevice(call.Device, t, email) && !weak.Off("device-apart") {
		c.add(t, limitPasswordDevice, l.PasswordDevice, call.Device)
		return c.list, c.err
	}
	if !call.Loopback {
		c.add(t, limitPasswordNetwork, l.PasswordNetwork, call.Network())
	}
	c.add(t, limitPasswordNetworkAccount, l.PasswordNetworkAccount, call.Network(), email)
	c.add(t, limitPasswordAccount, l.PasswordAccount, email)
	return c.list, c.err
}

// accountCharges are what one guess costs that an application's backend passes on: its network says nothing about who guesses.
func accountCharges(t *tenant.Tenant, email string) ([]ephemeral.Charge, error) {
	var c charges
	c.add(t, limitPasswordAccount, t.Policy.Limits.Filled().PasswordAccount, email)
	return c.list, c.err
}

// mailCharges are what one mail to a stranger's address costs. They are never given back: the mail is what is limited.
func mailCharges(call *audit.Call, t *tenant.Tenant, email string) ([]ephemeral.Charge, error) {
	l := t.Policy.Limits.Filled()
	var c charges
	if !call.Loopback {
		c.add(t, limitMailNetwork, l.MailNetwork, call.Network())
	}
	c.add(t, limitMailAddress, l.MailAddress, email)
	return c.list, c.err
}

// charges collects; the first text that is no limit makes the whole unusable, so that a typing error never means "no limit".
type charges struct {
	list []ephemeral.Charge
	err  error
}

func (c *charges) add(t *tenant.Tenant, name, text string, parts ...string) {
	limit, err := ephemeral.ParseLimit(text)
	if err != nil && c.err == nil {
		c.err = fault.From(err)
	}
	if limit.N > 0 {
		c.list = append(c.list, ephemeral.Charge{Name: name, Key: limitKey(t.ID, name, parts...), Limit: limit})
	}
}

// limitKey hides the address: limits live in places that personal data does not belong in.
func limitKey(tenantID, name string, parts ...string) string {
	sum := secret.Hash(strings.Join(append([]string{"limit", tenantID, name}, parts...), "\x00"))
	return hex.EncodeToString(sum[:16])
}

// spend takes the charges or refuses with ReasonLimited, recorded as about.
func (s *Service) spend(ctx context.Context, call *audit.Call, list []ephemeral.Charge, about trail) error {
	if len(list) == 0 {
		return nil
	}
	v, err := s.cfg.Limits.Take(ctx, list, call.At)
	if err != nil {
		return fault.From(err)
	}
	if v.Refused == "" {
		return nil
	}
	about.detail = map[string]string{"limit": v.Refused}
	f := fault.New(fault.Limited, fault.ReasonLimited, "too many tries, please wait").After(v.RetryAfter)
	return s.refused(ctx, call, about, f)
}

// giveBackTime bounds what a caller waits for it: a unit too much is the smaller harm when the store hangs.
const giveBackTime = 2 * time.Second

// giveBack returns charges, so that one office's good logins do not lock each other out. It is done even for a caller who has gone.
func (s *Service) giveBack(ctx context.Context, call *audit.Call, list []ephemeral.Charge) {
	if len(list) == 0 {
		return
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	if err := s.cfg.Limits.GiveBack(wait, list, call.At); err != nil {
		s.cfg.Log.ErrorContext(ctx, "limits could not be given back", "error", err.Error(), "trace", call.Trace)
	}
}
