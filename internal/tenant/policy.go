package tenant

import (
	"cmp"
	"time"
)

// The defaults of every life, limit and name, in one place.
const (
	DefaultAccessS             int64 = 900
	DefaultRefreshIdleS        int64 = 30 * 86400
	DefaultRefreshMaxS         int64 = 180 * 86400
	DefaultRefreshGraceS       int64 = 60
	DefaultRefreshMinRotationS int64 = 60
	DefaultAttemptS            int64 = 86400
	DefaultResetS              int64 = 3600
	DefaultFreshS              int64 = 600
	DefaultDeletedS            int64 = 30 * 86400
	DefaultRotationH           int64 = 168
	DefaultAlg                       = "RS256"
)

// DefaultLimits are the limits of the login API's specification.
func DefaultLimits() Limits {
	return Limits{
		PasswordNetwork: "10/1m", PasswordNetworkAccount: "5/5m", PasswordAccount: "100/24h", PasswordDevice: "20/5m",
		MailNetwork: "5/1h", MailAddress: "5/1h",
		PasswordlessBurst: "1/30s", PasswordlessAddress: "20/24h", PasswordlessDevice: "20/24h", HandoffUser: "20/1m",
		AuthorizeNetwork: "300/1m", PARNetwork: "1200/1m", PARClient: "3000/1m",
	}
}

// Filled gives l with the empty ones taken from the defaults.
func (l Limits) Filled() Limits {
	d := DefaultLimits()
	return Limits{
		PasswordNetwork:        cmp.Or(l.PasswordNetwork, d.PasswordNetwork),
		PasswordNetworkAccount: cmp.Or(l.PasswordNetworkAccount, d.PasswordNetworkAccount),
		PasswordAccount:        cmp.Or(l.PasswordAccount, d.PasswordAccount),
		PasswordDevice:         cmp.Or(l.PasswordDevice, d.PasswordDevice),
		MailNetwork:            cmp.Or(l.MailNetwork, d.MailNetwork),
		MailAddress:            cmp.Or(l.MailAddress, d.MailAddress),
		PasswordlessBurst:      cmp.Or(l.PasswordlessBurst, d.PasswordlessBurst),
		PasswordlessAddress:    cmp.Or(l.PasswordlessAddress, d.PasswordlessAddress),
		PasswordlessDevice:     cmp.Or(l.PasswordlessDevice, d.PasswordlessDevice),
		HandoffUser:            cmp.Or(l.HandoffUser, d.HandoffUser),
		AuthorizeNetwork:       cmp.Or(l.AuthorizeNetwork, d.AuthorizeNetwork),
		PARNetwork:             cmp.Or(l.PARNetwork, d.PARNetwork),
		PARClient:              cmp.Or(l.PARClient, d.PARClient),
	}
}

// For gives the effective policy for a client of t. A nil client gives the tenant's own.
func (t *Tenant) For(c *Client) Effective {
	var own ClientSettings
	if c != nil {
		own = c.Settings
	}
	a, b := own.Lives, t.Policy.Lives
	e := Effective{
		AccessLife:  seconds(a.AccessS, b.AccessS, DefaultAccessS),
		RefreshIdle: seconds(a.RefreshIdleS, b.RefreshIdleS, DefaultRefreshIdleS),
		RefreshMax:  seconds(a.RefreshMaxS, b.RefreshMaxS, DefaultRefreshMaxS),
		Grace:       secondsOrZero(a.RefreshGraceS, b.RefreshGraceS, DefaultRefreshGraceS),
		MinRotation: secondsOrZero(a.RefreshMinRotationS, b.RefreshMinRotationS, DefaultRefreshMinRotationS),
		AttemptLife: seconds(a.AttemptS, b.AttemptS, DefaultAttemptS),
		ResetLife:   seconds(a.ResetS, b.ResetS, DefaultResetS),
		Fresh:       seconds(a.FreshS, b.FreshS, DefaultFreshS),
		DeletedLife: seconds(a.DeletedS, b.DeletedS, DefaultDeletedS),
		Alg:         cmp.Or(own.Alg, DefaultAlg),
		Audience:    own.Audience,
	}
	if len(e.Audience) == 0 && c != nil {
		e.Audience = []string{c.ID}
	}
	return e
}

func seconds(n ...int64) time.Duration { return time.Duration(cmp.Or(n...)) * time.Second }

func secondsOrZero(own, tenant *int64, def int64) time.Duration {
	for _, p := range []*int64{own, tenant} {
		if p != nil {
			return time.Duration(*p) * time.Second
		}
	}
	return time.Duration(def) * time.Second
}
