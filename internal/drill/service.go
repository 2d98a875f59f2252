package drill

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// mark is the claim by which the services of the drill know each other.
const mark = "microservice"

// claimInjection: a user plants the mark of a service in everything they may write, in spellings that libraries take for the same name, and
// shows the token to a service; and the other way round, a service's token is shown where users' are taken.
func claimInjection(ctx context.Context, t *Target) (Verdict, error) {
	v, err := planted(ctx, t)
	if err != nil || !v.Held() {
		return v, err
	}
	return asUser(ctx, t)
}

func planted(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "claims")
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	v := t.Visitor().With("Authorization", "Bearer "+access)
	plants := map[string]any{
		"source": mark, "Source": mark, "SOURCE": mark, "\u017fource": mark, "tid": "x", "sid": "x", "roles": []string{"admin"}, "act": "x",
		"sessionHandle": "x", "sessionhandle": "x", "typ": "JWT", "kind": "service", "harmless": "kept",
	}
	r, err := v.Do(ctx, http.MethodPatch, "/me", map[string]any{"data": plants, "name": mark})
	if err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("writing own data: %v %v", r, err)
	}
	if access, _, err = p.Bearer(ctx); err != nil {
		return Verdict{}, err
	}
	var claims map[string]any
	if err := segment(strings.Split(access, ".")[1], &claims); err != nil {
		return Verdict{}, err
	}
	for name, value := range plants {
		if fmt.Sprint(claims[name]) == fmt.Sprint(value) && name != "harmless" && name != "kind" && name != "typ" {
			return succeeded("the user's token carries %s = %v", name, value)
		}
	}
	// What a service is told of it.
	r, err = t.Visitor().With("X-Internal-Api-Key", t.APIKey).Post(ctx, "/internal/token/verify", map[string]string{"token": access})
	if err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("asking for the token: %v %v", r, err)
	}
	if r.Text("kind") == "service" || r.Text("source") != "" {
		return succeeded("the user's token is told to be a service's")
	}
	return refused("no reserved claim can be written by a user")
}

// asUser shows a service's token to every call that takes a user's.
func asUser(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "victim")
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	r, err := t.Me(ctx, access)
	if err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the victim's profile: %v %v", r, err)
	}
	victim := r.Text("id")
	mine := t.Visitor().With("X-Internal-Api-Key", t.APIKey)
	for _, claim := range []string{"sub", "sid", "ep", "tid", "tty", "email", "sessionHandle", "Sub", "TID"} {
		r, err := mine.Post(ctx, "/internal/service-tokens", map[string]any{"name": "m1", "claims": map[string]any{claim: victim}})
		if err != nil || r.Status != http.StatusBadRequest {
			return succeeded("a service's token may carry %s: %v %v", claim, r, err)
		}
	}
	for _, key := range []string{"static", "rotating"} {
		r, err := mine.Post(ctx, "/internal/service-tokens", map[string]any{"name": "m1", "key": key, "claims": map[string]any{"user_id": victim, "roles": []string{"admin"}}})
		if err != nil || r.Status != http.StatusCreated {
			return Verdict{}, fmt.Errorf("a service's token: %v %v", r, err)
		}
		if v, err := showEverywhere(ctx, t, r.Text("token")); err != nil || !v.Held() {
			return v, err
		}
	}
	return refused("a service's token is a user's nowhere, and a user's is never a service's")
}

func showEverywhere(ctx context.Context, t *Target, token string) (Verdict, error) {
	bearer := t.Visitor().With("Authorization", "Bearer "+token)
	cookie := t.Visitor()
	cookie.Cookies["access_token"] = token
	cookie = cookie.With("Origin", t.URL)
	for _, v := range []*Visitor{bearer, cookie} {
		for _, call := range [][2]string{
			{http.MethodGet, "/me"}, {http.MethodPatch, "/me"}, {http.MethodDelete, "/me"}, {http.MethodGet, "/sessions"},
			{http.MethodPost, "/session/create"}, {http.MethodPost, "/jwt/refresh"},
		} {
			var body any
			if call[0] != http.MethodGet {
				body = map[string]string{"refresh_token": token, "client_id": t.ClientID}
			}
			r, err := v.Do(ctx, call[0], call[1], body)
			if err != nil {
				return Verdict{}, err
			}
			if r.Status < http.StatusBadRequest {
				return succeeded("%s %s takes a service's token: %s", call[0], call[1], r)
			}
		}
	}
	// Logout answers alike whatever it is shown; the token of a service must simply end nothing.
	if _, err := bearer.Post(ctx, "/logout", map[string]string{}); err != nil {
		return Verdict{}, err
	}
	r, err := t.Visitor().With("X-Internal-Api-Key", t.APIKey).Post(ctx, "/internal/token/verify", map[string]string{"token": token})
	if err != nil || r.Text("kind") != "service" || r.Text("source") != mark {
		return Verdict{}, fmt.Errorf("the service's token after a logout: %v %v", r, err)
	}
	return refused("a service's token is no user's")
}
