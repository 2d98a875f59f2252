package drill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/resource"
)

// soon is how long a revoked token may go on working at an API that follows the feed before the drill takes it for accepted. A second is
// promised, and the window that the verdict names is the one that was measured: what a machine under load adds to it is no attacker's success,
// and a token does not die of age within it.
const soon = 10 * time.Second

// api is a resource server that checks tokens by itself and follows the feed.
type api struct {
	*resource.Verifier
	t    *Target
	stop func()
}

// api starts one, at the tenant's clock as an access token tells it.
func (t *Target) api(ctx context.Context, access string) (*api, error) {
	var c struct {
		Issuer string `json:"iss"`
		Issued int64  `json:"iat"`
	}
	_, rest, _ := strings.Cut(access, ".")
	body, _, _ := strings.Cut(rest, ".")
	if err := segment(body, &c); err != nil {
		return nil, err
	}
	offset := max(0, time.Unix(c.Issued, 0).Sub(t.Now()))
	now := func() time.Time { return t.Now().Add(offset) }
	caller := &http.Client{Transport: t.HTTP.Transport}
	jwks := t.URL + "/.well-known/jwks.json"
	feed, err := resource.NewFeed(resource.FeedConfig{
		Issuer: c.Issuer, URL: t.URL + "/oauth2/revocations", JWKSURL: jwks, HTTP: caller, Now: now, Lost: resource.ModeRefuse,
		APIKey: func() string { return t.APIKey }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	v, err := resource.New(resource.Config{Issuer: c.Issuer, AnyAudience: true, JWKSURL: jwks, HTTP: caller, Now: now, Feed: feed})
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = feed.Run(running) }()
	a := &api{Verifier: v, t: t, stop: func() { cancel(); <-done }}
	ready, enough := context.WithTimeout(ctx, 10*time.Second)
	defer enough()
	if err := feed.Ready(ready); err != nil {
		a.stop()
		return nil, fmt.Errorf("the feed does not come: %w", err)
	}
	if _, err := v.Verify(ctx, access); err != nil {
		a.stop()
		return nil, fmt.Errorf("the API refuses a good token: %w", err)
	}
	return a, nil
}

// refuses waits until the API says that the token was revoked, and gives how long that took; false when it did not within soon.
func (a *api) refuses(ctx context.Context, access string) (time.Duration, bool) {
	began := a.t.Now()
	for {
		_, err := a.Verify(ctx, access)
		took := a.t.Now().Sub(began)
		var e *resource.Error
		if errors.As(err, &e) && e.Reason == resource.ReasonRevoked {
			return took, true
		}
		if took > soon {
			return took, false
		}
		select {
		case <-ctx.Done():
			return took, false
		case <-time.After(time.Millisecond):
		}
	}
}

// stolenTokenElsewhere: a copied JWT at an API that asks nobody. It must die there too, within a second of the logout.
func stolenTokenElsewhere(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "jwt-elsewhere")
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	a, err := t.api(ctx, access)
	if err != nil {
		return Verdict{}, err
	}
	defer a.stop()
	if r, err := t.Logout(ctx, access); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("logout: %v %v", r, err)
	}
	took, dead := a.refuses(ctx, access)
	if !dead {
		return succeeded("an API still accepts it %s after the logout", took)
	}
	return contained(took, "worked until logout, then an API that asks nobody refused it")
}

// stolenFamilyElsewhere: the replay of a copied refresh token ends the family; the access tokens that are out must die at APIs as well.
func stolenFamilyElsewhere(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "theft-elsewhere")
	if err != nil {
		return Verdict{}, err
	}
	_, stolen, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := goOn(ctx, t, stolen)
	if err != nil {
		return Verdict{}, err
	}
	fresh, _, err := p.Bearer(ctx) // tells the clock, and is another family
	if err != nil {
		return Verdict{}, err
	}
	a, err := t.api(ctx, fresh)
	if err != nil {
		return Verdict{}, err
	}
	defer a.stop()
	if _, err := a.Verify(ctx, access); err != nil {
		return Verdict{}, fmt.Errorf("the API refuses the owner's token: %w", err)
	}
	if r, err := t.Refresh(ctx, "", stolen); err != nil || r.Text("reason") != "refresh_reused" {
		return Verdict{}, fmt.Errorf("the replay: %v %v", r, err)
	}
	took, dead := a.refuses(ctx, access)
	if !dead {
		return succeeded("an API still accepts the family's access token %s after the theft was seen", took)
	}
	if _, err := a.Verify(ctx, fresh); err != nil {
		return succeeded("the owner's other session died with it: %v", err)
	}
	return contained(took, "the family's access token died at an API that asks nobody")
}
