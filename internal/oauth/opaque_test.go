package oauth_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type ctx = context.Context

// heardRequests writes down what ends requests.
type heardRequests struct {
	oauth.Requests
	seen *[]audit.Event
}

func (h heardRequests) Finish(ctx ctx, from oauth.Request, code *oauth.Code, c *oauth.Consent, at time.Time, rec audit.Record) (bool, error) {
	*h.seen = append(*h.seen, rec.Events...)
	return h.Requests.Finish(ctx, from, code, c, at, rec)
}

// twice gives a verb a record that cannot be written: the row of the opaque token stands in it twice. What the verb wrote before must go.
func twice(rec audit.Record) audit.Record {
	rec.Tokens = append(append([]audit.OpaqueToken{}, rec.Tokens...), rec.Tokens...)
	return rec
}

type failingCodes struct{ oauth.Codes }

func (f failingCodes) Exchange(ctx ctx, tenantID string, hash []byte, fam session.Family, register *user.Registration, rec audit.Record) (bool, error) {
	return f.Codes.Exchange(ctx, tenantID, hash, fam, register, twice(rec))
}

type failingSessions struct {
	session.Store
	fail *bool
	seen *[]audit.OpaqueToken
}

func (f failingSessions) Swap(ctx ctx, from, to session.Family, rec audit.Record) (bool, error) {
	*f.seen = append(*f.seen, rec.Tokens...)
	if *f.fail {
		rec = twice(rec)
	}
	return f.Store.Swap(ctx, from, to, rec)
}

// unsigning is the token room without its pen.
type unsigning struct{ session.AccessTokens }

func (unsigning) SignAccess(context.Context, *tenant.Tenant, string, token.AccessClaims) (string, error) {
	return "", errors.New("an access token was signed that nobody gets")
}

// opaqueWorld is a back whose session room cannot sign, and may be made to fail at its swaps.
func opaqueWorld(t *testing.T) (b *back, fail *bool, seen *[]audit.OpaqueToken) {
	t.Helper()
	b = backOnSQLite(t)
	fail, seen = new(bool), &[]audit.OpaqueToken{}
	store := failingSessions{b.store.Sessions(), fail, seen}
	b.sessions = session.New(store, unsigning{b.tokens}, b.cfg.Back.Ring, session.Config{})
	b.remake(func(c *oauth.Config) { c.Back.Sessions = b.sessions })
	return b, fail, seen
}

// TestOpaqueTokensTravelWithTheirSession: the row of an opaque token is part of the transaction that spends the code, or rotates the refresh
// token. It was written afterwards: a crash in between left the code spent and nobody a token. And nothing is signed for such a client.
func TestOpaqueTokensTravelWithTheirSession(t *testing.T) {
	b, fail, seen := opaqueWorld(t)
	form := b.code("opaque", "orders", "offline_access")
	whole := b.cfg.Codes
	b.remake(func(c *oauth.Config) { c.Codes = failingCodes{whole} })
	if _, err := b.ask("opaque", form); err == nil {
		t.Fatal("a commit that fails gave a token")
	}
	b.remake(func(c *oauth.Config) { c.Codes = whole })
	out := b.got("opaque", form) // neither the code nor a row is left of it
	b.active("opaque", out.AccessToken, true)

	refresh := url.Values{"grant_type": {tenant.GrantRefresh}, "refresh_token": {out.RefreshToken.Reveal()}}
	b.at = b.at.Add(2 * time.Minute) // old enough to be rotated
	*fail = true
	if _, err := b.ask("opaque", refresh); err == nil {
		t.Fatal("a swap that fails gave a token")
	}
	if len(*seen) == 0 {
		t.Fatal("the row did not travel with the swap")
	}
	for _, row := range *seen {
		if _, err := b.store.OAuthOpaques().Opaque(t.Context(), b.tenant.ID, row.Hash); fault.ReasonOf(err) != fault.ReasonNotFound {
			t.Fatalf("the row of a swap that failed: %v", err)
		}
	}
	*fail = false
	next := b.got("opaque", refresh)
	b.active("opaque", next.AccessToken, true)
	if next.RefreshToken.Reveal() == out.RefreshToken.Reveal() {
		t.Fatal("not rotated")
	}
	same := b.got("opaque", refresh) // a reply that was lost: the same successor, a token of its own
	b.active("opaque", same.AccessToken, true)
	if same.RefreshToken.Reveal() != next.RefreshToken.Reveal() || same.AccessToken.Reveal() == next.AccessToken.Reveal() {
		t.Fatal("the successor was not handed out again")
	}
	b.ok(b.s.Revoke(t.Context(), b.api(), b.tenant, b.client("opaque"), true, next.RefreshToken))
	for _, dead := range []secret.Text{out.AccessToken, next.AccessToken, same.AccessToken} {
		b.active("opaque", dead, false)
	}
}

// TestOpaqueTokensOfEveryGrant: device, password, client credentials and exchange give opaque tokens that work, and sign none.
func TestOpaqueTokensOfEveryGrant(t *testing.T) {
	b, _, _ := opaqueWorld(t)
	dev := b.device("opaque", "orders")
	live := b.liveOf(b.ada)
	d, _, err := b.s.DeviceByCode(t.Context(), b.api(), b.tenant, dev.UserCode, b.ada.ID)
	b.ok(err)
	b.ok(b.s.AllowDevice(t.Context(), b.api(), b.tenant, d, live, d.Scope))
	for name, form := range map[string]url.Values{
		"device":   {"grant_type": {tenant.GrantDevice}, "device_code": {dev.DeviceCode.Reveal()}},
		"password": {"grant_type": {tenant.GrantPassword}, "username": {"ada"}, "password": {"right"}, "scope": {"orders"}},
		"its own":  {"grant_type": {tenant.GrantClientCredentials}},
	} {
		out := b.got("opaque", form)
		b.active("opaque", out.AccessToken, true)
		if name == "password" {
			b.active("opaque", b.got("opaque", exchange(out.AccessToken)).AccessToken, true)
		}
	}
}
