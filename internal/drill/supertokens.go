package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// backend calls the SuperTokens-shaped API as a backend that holds the key; who attacks holds what that backend gave to browsers.
func (t *Target) backend(ctx context.Context, path string, body map[string]any) (map[string]any, error) {
	r, err := t.Visitor().With("api-key", t.SuperKey).Post(ctx, "/supertokens"+path, body)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"http": r.Status}
	if r.Status == http.StatusOK {
		err = json.Unmarshal(r.Body, &out)
	}
	return out, err
}

// superSession opens a session there and gives its refresh token.
func (t *Target) superSession(ctx context.Context) (refresh string, err error) {
	r, err := t.backend(ctx, "/recipe/session", map[string]any{
		"userId": "drill", "userDataInJWT": map[string]any{}, "userDataInDatabase": map[string]any{}, "enableAntiCsrf": false,
	})
	if err != nil {
		return "", err
	}
	_, refresh, err = superPair(r)
	return refresh, err
}

func superPair(r map[string]any) (access, refresh string, err error) {
	a, _ := r["accessToken"].(map[string]any)
	b, _ := r["refreshToken"].(map[string]any)
	access, _ = a["token"].(string)
	refresh, _ = b["token"].(string)
	if access == "" || refresh == "" {
		err = fmt.Errorf("no tokens in %v", r)
	}
	return access, refresh, err
}

func (t *Target) superRefresh(ctx context.Context, token string) (map[string]any, error) {
	return t.backend(ctx, "/recipe/session/refresh", map[string]any{"refreshToken": token, "enableAntiCsrf": false, "useDynamicSigningKey": true})
}

func (t *Target) superVerify(ctx context.Context, token string) (map[string]any, error) {
	return t.backend(ctx, "/recipe/session/verify", map[string]any{
		"accessToken": token, "doAntiCsrfCheck": false, "enableAntiCsrf": false, "checkDatabase": true,
	})
}

// superStolen: the thief copies a refresh token; its owner refreshes, and uses the new access token. The copy must end the session here and
// not only be called a theft: in the original the backend is left to do it.
func superStolen(ctx context.Context, t *Target) (Verdict, error) {
	stolen, err := t.superSession(ctx)
	if err != nil {
		return Verdict{}, err
	}
	r, err := t.superRefresh(ctx, stolen)
	if err != nil {
		return Verdict{}, err
	}
	access, newest, err := superPair(r)
	if err != nil {
		return Verdict{}, err
	}
	if r, err = t.superVerify(ctx, access); err != nil || r["status"] != "OK" {
		return Verdict{}, fmt.Errorf("the owner's new access token: %v %v", r, err)
	}
	if r, err = t.superRefresh(ctx, stolen); err != nil {
		return Verdict{}, err
	}
	if r["status"] != "TOKEN_THEFT_DETECTED" {
		return succeeded("the copy was answered with %v", r["status"])
	}
	if r, err = t.superRefresh(ctx, newest); err != nil || r["status"] != "UNAUTHORISED" {
		return succeeded("the session lived on after the theft was seen: %v (%v)", r["status"], err)
	}
	if r, err = t.superVerify(ctx, access); err != nil || r["status"] != "UNAUTHORISED" {
		return succeeded("an access token lived on after the theft was seen: %v (%v)", r["status"], err)
	}
	return refused("the copy ended the session")
}

// superElsewhere: a refresh token copied from a SuperTokens session is shown at our own API, where no key is asked for and rotation is more
// forgiving; and a token of our own is shown there.
func superElsewhere(ctx context.Context, t *Target) (Verdict, error) {
	stolen, err := t.superSession(ctx)
	if err != nil {
		return Verdict{}, err
	}
	if r, err := t.Refresh(ctx, "", stolen); err != nil || r.Status == http.StatusOK {
		return succeeded("a session of one face was turned into one of another (%v)", err)
	}
	p, err := t.SignUp(ctx, "dialect")
	if err != nil {
		return Verdict{}, err
	}
	_, own, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	if r, err := t.superRefresh(ctx, own); err != nil || r["status"] != "UNAUTHORISED" {
		return succeeded("a native session was turned into one of SuperTokens (%v)", err)
	}
	if r, err := t.superRefresh(ctx, stolen); err != nil || r["status"] != "OK" {
		return succeeded("the attempt harmed the session: %v (%v)", r["status"], err)
	}
	return refused("neither face takes the other's refresh tokens, and nothing comes of the attempt")
}

// superClaims: a backend that copies what its users write into their sessions must not be able to make a session's token look like a
// service's or a native user's.
func superClaims(ctx context.Context, t *Target) (Verdict, error) {
	for _, name := range []string{"source", "Source", "\u017fource", "tid", "sid", "tty", "ep"} {
		r, err := t.backend(ctx, "/recipe/session", map[string]any{
			"userId": "drill", "userDataInJWT": map[string]any{name: mark}, "userDataInDatabase": map[string]any{}, "enableAntiCsrf": false,
		})
		if err != nil {
			return Verdict{}, err
		}
		if r["http"] != http.StatusBadRequest {
			return succeeded("a session's token carries %s", name)
		}
	}
	return refused("reserved claims are no payload of a session")
}
