package drill

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// rotate is a little more than the grace and the shortest time between rotations of the default policy.
const rotate = 61 * time.Second

// stolenRefreshToken: the thief copies a refresh token, its owner goes on, the thief presents the copy later. The copy must end the
// whole family, access tokens included, and the owner must be told.
func stolenRefreshToken(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "theft")
	if err != nil {
		return Verdict{}, err
	}
	_, stolen, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	access, newest, err := goOn(ctx, t, stolen)
	if err != nil {
		return Verdict{}, err
	}
	replay, err := t.Refresh(ctx, "", stolen)
	if err != nil {
		return Verdict{}, err
	}
	if replay.Status == http.StatusOK {
		return succeeded("the copied token gave a new pair after its successor was used")
	}
	if r := replay.Text("reason"); r != "refresh_reused" {
		return succeeded("the replay was refused as %q, so nobody was told of a theft", r)
	}
	if r, err := t.Refresh(ctx, "", newest); err != nil || r.Status == http.StatusOK {
		return succeeded("the family lived on after the theft was seen (%v)", err)
	}
	if r, err := t.Me(ctx, access); err != nil || r.Status == http.StatusOK {
		return succeeded("an access token of the family lived on (%v)", err)
	}
	mails, err := t.Mailbox(ctx, p.Email, 2)
	if err != nil || len(mails) < 2 {
		return succeeded("the owner was not told (%v)", err)
	}
	return refused("replay ended the family, its access tokens died, the owner was told")
}

// goOn refreshes twice as the owner would, so that the first token's successor is confirmed and its grace is over.
func goOn(ctx context.Context, t *Target, first string) (access, refresh string, err error) {
	refresh = first
	for range 2 {
		if err := t.Advance(ctx, rotate); err != nil {
			return "", "", err
		}
		r, err := t.Refresh(ctx, "", refresh)
		if err != nil {
			return "", "", err
		}
		if r.Status != http.StatusOK {
			return "", "", fmt.Errorf("honest refresh: %s", r)
		}
		access, refresh = r.Text("access_token"), r.Text("refresh_token")
	}
	return access, refresh, t.Advance(ctx, rotate)
}

// stolenAccessToken: a copied JWT works until its session ends, and not a moment longer at this server.
func stolenAccessToken(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "jwt")
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	if r, err := t.Me(ctx, access); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the token does not work at all: %v %v", r, err)
	}
	if r, err := t.Logout(ctx, access); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("logout: %v %v", r, err)
	}
	ended := t.Now()
	for t.Now().Sub(ended) < time.Second {
		r, err := t.Me(ctx, access)
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusUnauthorized {
			return contained(t.Now().Sub(ended), "worked until logout, then refused")
		}
	}
	return succeeded("still accepted one second after logout")
}

// refreshRace: many parallel refreshes with one token, round after round, as tabs and retries do. Nobody honest may be logged out.
func refreshRace(ctx context.Context, t *Target) (Verdict, error) {
	const parallel, rounds = 16, 8
	p, err := t.SignUp(ctx, "race")
	if err != nil {
		return Verdict{}, err
	}
	_, refresh, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	for round := range rounds {
		if err := t.Advance(ctx, rotate); err != nil {
			return Verdict{}, err
		}
		got, err := Together(parallel, func(int) (string, error) {
			r, err := t.Refresh(ctx, "", refresh)
			if err != nil || r.Status != http.StatusOK {
				return "", fmt.Errorf("round %d: %v %v", round, r, err)
			}
			return r.Text("refresh_token"), nil
		})
		if err != nil {
			return succeeded("an honest refresh was refused: %v", err)
		}
		for _, g := range got {
			if g != got[0] {
				return succeeded("round %d gave two different successors", round)
			}
		}
		refresh = got[0]
	}
	return refused("%d parallel × %d rounds, no honest logout, one successor each", parallel, rounds)
}

// refreshAfterRevoke: refreshes racing a logout. Whatever they were given must be dead once the logout has answered.
func refreshAfterRevoke(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "revoke")
	if err != nil {
		return Verdict{}, err
	}
	access, refresh, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	if err := t.Advance(ctx, rotate); err != nil {
		return Verdict{}, err
	}
	given, err := Together(16, func(i int) (string, error) {
		if i == 7 {
			_, err := t.Logout(ctx, access)
			return "", err
		}
		r, err := t.Refresh(ctx, "", refresh)
		if err != nil {
			return "", err
		}
		return r.Text("refresh_token"), nil
	})
	if err != nil {
		return Verdict{}, err
	}
	for _, token := range append(given, refresh) {
		if token == "" {
			continue
		}
		if r, err := t.Refresh(ctx, "", token); err != nil || r.Status == http.StatusOK {
			return succeeded("a token worked after logout had answered (%v)", err)
		}
		if r, err := t.Refresh(ctx, access, token); err != nil || r.Status == http.StatusOK {
			return succeeded("the still valid access token got its pair back after logout (%v)", err)
		}
	}
	return refused("nothing handed out before, during or after the logout works")
}

// Together runs n calls at once and gives their results in order, or the first error.
func Together[T any](n int, call func(i int) (T, error)) ([]T, error) {
	out, errs := make([]T, n), make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			out[i], errs[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return out, err
		}
	}
	return out, nil
}
