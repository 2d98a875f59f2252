package loginapi

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// mode is how tokens travel.
type mode string

const (
	modeBoth   mode = "both"
	modeCookie mode = "cookie"
	modeBearer mode = "bearer"
)

// modeOf is the client's setting narrowed by X-Token-Mode. The header never widens it: a page with a cookie-only client cannot ask for
// tokens that script could read.
func modeOf(x *web.Exchange) (mode, error) {
	set := modeBoth
	if x.Client != nil && x.Client.Settings.TokenDelivery != "" {
		set = mode(x.Client.Settings.TokenDelivery)
	}
	asked := mode(x.R.Header.Get("X-Token-Mode"))
	switch asked {
	case "", modeBoth, set:
		return set, nil
	case modeCookie, modeBearer:
		if set == modeBoth {
			return asked, nil
		}
		return "", invalid("X-Token-Mode", "is not allowed for this client")
	}
	return "", invalid("X-Token-Mode", "must be both, cookie or bearer")
}

// delivery says what one answer carries.
type delivery struct{ body, cookies, user bool }

// afterLogin is what a login answer carries.
func afterLogin(m mode) delivery {
	return delivery{body: m != modeCookie, cookies: m != modeBearer, user: true}
}

// afterRefresh is what a refresh answer carries. A call authenticated by cookie never returns tokens in the body: script must not be
// able to read what HttpOnly hides. A call with an explicit token gets its tokens back the same way and touches no cookie.
func afterRefresh(m mode, byCookie bool) delivery {
	if byCookie || m == modeCookie {
		return delivery{cookies: true, user: byCookie}
	}
	return delivery{body: true}
}

// send answers with tokens.
func (d delivery) send(x *web.Exchange, t *session.Tokens) error {
	access, refresh := whole(t.AccessClaims.ExpiresAt.Sub(x.Call.At)), whole(t.RefreshExpires.Sub(x.Call.At))
	out := LoginAnswer{ExpiresIn: seconds(access), RefreshExpires: seconds(refresh)}
	if d.cookies {
		if err := x.SetTokens(t.Access, t.Refresh, access, refresh); err != nil {
			return err
		}
	}
	if d.body {
		out.AccessToken, out.RefreshToken, out.TokenType = t.Access.Reveal(), t.Refresh.Reveal(), "Bearer"
		if t.AccessClaims.Thumbprint != "" {
			out.TokenType = "DPoP"
		}
	}
	if d.user {
		out.User = person(t)
	}
	return x.JSON(http.StatusOK, out)
}

func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }

// whole rounds a life up to whole seconds: exp stands in whole seconds, so a token is never announced to live shorter than it says.
func whole(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }
