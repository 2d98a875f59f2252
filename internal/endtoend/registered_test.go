package endtoend

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestRegisteredClientIsKnownEverywhere: when a registration has been answered, the client may send people to any node at once, and when its
// removal has been answered, to none. Other nodes learnt of it a moment later once, and showed an error page to whoever was fast.
func TestRegisteredClientIsKnownEverywhere(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		o.Config = twoClients
		p := server.StartPair(t, o)
		p.Pin(map[string]int{"/oauth2/clients": 0, "/oauth2/authorize": 1})
		var made struct{ Token string }
		do(t, json.Unmarshal(commanded(t, p.Data, o, "registration-token", "create", "--name", "x", "--uses", "10", "--json"), &made))
		for range 10 {
			knownAtOnce(t, p, made.Token)
		}
	})
}

func knownAtOnce(t *testing.T, p *server.Pair, initial string) {
	t.Helper()
	ctx, with := t.Context(), func(token string) string { return "Bearer " + token }
	r, err := p.Visitor().With("Authorization", with(initial)).Post(ctx, "/oauth2/clients", object{
		"client_name": "Partner", "redirect_uris": []string{"http://127.0.0.1/callback"}, "token_endpoint_auth_method": "none",
	})
	must(t, "registration", r, err, 201)
	ask := "/oauth2/authorize?" + url.Values{
		"client_id": {r.Text("client_id")}, "redirect_uri": {"http://127.0.0.1/callback"}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode()
	page, err := p.Visitor().Get(ctx, ask)
	must(t, "a request of the new client at the other node", page, err, 303)
	managed, err := url.Parse(r.Text("registration_client_uri"))
	do(t, err)
	p.Pin(map[string]int{managed.Path: 0, "/oauth2/clients": 0, "/oauth2/authorize": 1})
	r, err = p.Visitor().With("Authorization", with(r.Text("registration_access_token"))).Do(ctx, "DELETE", managed.Path, nil)
	must(t, "removal", r, err, 204)
	page, err = p.Visitor().Get(ctx, ask)
	must(t, "a request of the removed client at the other node", page, err, 400)
}
