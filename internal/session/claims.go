package session

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// FaceOAuth is Family.OpenedBy of sessions that the OAuth server opened: they may belong to somebody else's application, which may know and
// do no more than was consented to.
const FaceOAuth = "oauth"

// accessClaims builds the access token's claims from values in hand; no store is asked. Instants are whole seconds, as the token carries
// them, and exp is never beyond the family's absolute expiry. The key it is bound to is the caller's to name.
func accessClaims(t *tenant.Tenant, c *tenant.Client, fam *Family, h *Holder, at time.Time) token.AccessClaims {
	e := t.For(c)
	issued := at.Truncate(time.Second)
	expires := issued.Add(e.AccessLife)
	if !fam.AbsoluteExpiry.IsZero() && expires.After(fam.AbsoluteExpiry) {
		expires = fam.AbsoluteExpiry.Truncate(time.Second)
	}
	roles := h.Roles
	if roles == nil {
		roles = []string{}
	}
	email := h.Email
	if fam.OpenedBy == FaceOAuth && !slices.Contains(strings.Fields(fam.Scope), "email") {
		email = "" // the application was not allowed to know it (OpenID Connect Core section 5.4)
	}
	return token.AccessClaims{
		Issuer: t.Issuer, TenantID: t.ID, Subject: fam.Subject, Audience: audienceOf(&e, fam), ClientID: fam.ClientID,
		ExpiresAt: expires, IssuedAt: issued, NotBefore: issued, ID: secret.NewID(at),
		SessionID: fam.ID, Epoch: fam.Epoch, Roles: roles, Scope: fam.Scope,
		Email: email, EmailVerified: h.Verified && email != "", PreferredUsername: email, ApplicationID: fam.ClientID,
		AuthTime: fam.AuthTime.Truncate(time.Second), AMR: fam.AMR, ACR: fam.ACR,
		Extra: extraClaims(c, h),
	}
}

// sameClaims reports whether two holders give the same claims, so that a signature made before a lost swap is still good after it.
func sameClaims(a, b *Holder) bool {
	return a.Epoch == b.Epoch && a.Email == b.Email && a.Verified == b.Verified && slices.Equal(a.Roles, b.Roles) &&
		a.Name == b.Name && a.Locale == b.Locale && bytes.Equal(a.UserData, b.UserData) && bytes.Equal(a.RegisterData, b.RegisterData)
}

// RefreshExpires is when a session ends if it is not used again: the earlier of the two limits.
func RefreshExpires(fam *Family) time.Time {
	if !fam.AbsoluteExpiry.IsZero() && (fam.IdleExpiry.IsZero() || fam.AbsoluteExpiry.Before(fam.IdleExpiry)) {
		return fam.AbsoluteExpiry
	}
	return fam.IdleExpiry
}
