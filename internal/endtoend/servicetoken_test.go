package endtoend

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const m2 = "https://m2.example.com"

// rsaClient is twoClients whose users' tokens are signed by the algorithm of services' tokens: the algorithm must not be what keeps them apart.
var rsaClient = strings.Replace(twoClients, "    name: Demo\n", "    name: Demo\n    alg: RS256\n", 1)

// mint makes a service's token over the internal API.
func mint(ctx context.Context, t *testing.T, s *server.Server, body map[string]any) (token string, r *drill.Reply) {
	t.Helper()
	r, err := service(s, s.APIKey).Post(ctx, "/internal/service-tokens", body)
	must(t, "a service's token", r, err, 201)
	return r.Text("token"), r
}

func headerOf(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 0) }

func segmentOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	do(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestServiceTokens: made, listed, verified, revoked, on every engine; with both kinds of key, for a second and for a century.
func TestServiceTokens(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		mine := service(s, s.APIKey)
		verify := func(token string) *drill.Reply {
			t.Helper()
			r, err := mine.Post(ctx, "/internal/token/verify", map[string]string{"token": token})
			return must(t, "verify", r, err, 200)
		}
		tokens := map[string]*drill.Reply{}
		for name, body := range map[string]map[string]any{
			"static":   {"name": "m1", "claims": map[string]any{"team": "billing", "n": 1}, "audience": []string{m2}},
			"century":  {"name": "m1", "ttl_s": 3153600000},
			"rotating": {"name": "m1", "key": "rotating", "alg": "ES256", "ttl_s": 3600, "source": "batch"},
		} {
			token, r := mint(ctx, t, s, body)
			tokens[name] = r
			c, h := claimsOf(t, token), headerOf(t, token)
			if c["iss"] != s.URL || c["tid"] != s.TenantID || c["sub"] != "service:m1" || c["jti"] != r.Text("jti") || h["typ"] != "JWT" || h["version"] != nil {
				t.Errorf("%s: %v %v", name, h, c)
			}
			if kid := h["kid"].(string); strings.HasPrefix(kid, "s-") == (name == "rotating") {
				t.Errorf("%s: signed by %s", name, kid)
			}
			if v := verify(token); v.Text("kind") != "service" || v.Text("source") != c["source"] || v.Text("sub") != "service:m1" {
				t.Errorf("%s: verify tells %s", name, v.Body)
			}
		}
		if life := claimsOf(t, tokens["century"].Text("token")); life["exp"].(float64)-life["iat"].(float64) != 3153600000 {
			t.Errorf("a century is %v", life)
		}
		r, err := mine.Get(ctx, "/internal/service-tokens?limit=2")
		must(t, "the list", r, err, 200)
		if strings.Contains(string(r.Body), `"token"`) || r.Text("next") == "" {
			t.Errorf("a page of the list: %s", r.Body)
		}
		for name, made := range tokens { // by id and by jti
			r, err := mine.Do(ctx, http.MethodDelete, "/internal/service-tokens/"+made.Text("id"), nil)
			must(t, name+" revoked", r, err, 204)
			if v := verify(made.Text("token")); string(v.Body) != `{"active":false}` {
				t.Errorf("%s is active after its revocation", name)
			}
		}
		r, err = mine.Do(ctx, http.MethodDelete, "/internal/service-tokens/absent", nil)
		refusedFor(t, "an unknown token", r, err, 404, "no_such_thing")
		for field, body := range map[string]map[string]any{
			"name": {"name": "m 1"}, "ttl_s": {"name": "m1", "ttl_s": 3153600001}, "claims.sid": {"name": "m1", "claims": map[string]any{"sid": "x"}},
			"key": {"name": "m1", "key": "both"}, "alg": {"name": "m1", "alg": "none"},
		} {
			r, err := mine.Post(ctx, "/internal/service-tokens", body)
			refusedFor(t, field, r, err, 400, "invalid_field")
			if !strings.Contains(string(r.Body), `"field":"`+field+`"`) {
				t.Errorf("%s: %s", field, r.Body)
			}
		}
	})
}

// TestServiceTokenOutlivesItsKey: a long token of a rotating key verifies until it expires, at every node, through rotations and restarts.
func TestServiceTokenOutlivesItsKey(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Data = t.TempDir()
		s := server.Start(t, o)
		long, _ := mint(ctx, t, s, map[string]any{"name": "m1", "key": "rotating", "ttl_s": 40 * 24 * 3600})
		kid := headerOf(t, long)["kid"].(string)
		published := func() bool {
			r, err := s.Visitor().Get(ctx, "/.well-known/jwks.json")
			return strings.Contains(string(must(t, "JWKS", r, err, 200).Body), kid)
		}
		advance := func(by time.Duration) {
			t.Helper()
			do(t, s.Advance(ctx, by))
		}
		for range 3 {
			advance(240 * time.Hour)
			signer := func() any {
				other, _ := mint(ctx, t, s, map[string]any{"name": "m1", "key": "rotating", "ttl_s": 60})
				return headerOf(t, other)["kid"]
			}
			for began := time.Now(); signer() == kid; advance(6 * time.Minute) { // a key made after the jump is published for a while first
				if time.Since(began) > 20*time.Second {
					t.Fatal("the key still signs")
				}
			}
			r, err := service(s, s.APIKey).Post(ctx, "/internal/token/verify", map[string]string{"token": long})
			if must(t, "verify", r, err, 200); r.Text("kind") != "service" || !published() {
				t.Fatalf("the long token's key has gone: %s", r.Body)
			}
		}
		advance(264 * time.Hour)
		for began := time.Now(); published(); {
			if time.Since(began) > 20*time.Second {
				t.Fatal("the key stays when its last token is dead")
			}
		}
	})
}

// TestServiceTokenOfACommand: a token made by a command beside a running server verifies there at once, and a revoked one no more.
func TestServiceTokenOfACommand(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		command := func(args ...string) []byte {
			t.Helper()
			return commanded(t, s.Data, o, append([]string{"service-token"}, append(args, "--json")...)...)
		}
		for _, key := range []string{"--static", "--dynamic"} {
			var made struct{ ID, JTI, Token string }
			do(t, json.Unmarshal(command("create", "--name", "m1", "--ttl", "100y", key, "--claim", "team=a,b", "--claim", "level:=3"), &made))
			if c := claimsOf(t, made.Token); c["team"] != "a,b" || c["level"] != 3.0 {
				t.Errorf("claims %v", c)
			}
			active := func() bool {
				r, err := service(s, s.APIKey).Post(ctx, "/internal/token/verify", map[string]string{"token": made.Token})
				return must(t, "verify", r, err, 200).Text("kind") == "service"
			}
			if !active() {
				t.Fatalf("%s: the server does not know the command's token", key)
			}
			command("revoke", made.JTI)
			if active() {
				t.Fatalf("%s: a revoked token is active", key)
			}
			if strings.Contains(s.Logs(), made.Token) {
				t.Fatal("the token is in the log")
			}
		}
	})
}

// snippets are the programs of the document, by the name that a comment gives them.
func snippets(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(server.Root(), "docs", "service-tokens.md"))
	do(t, err)
	out := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)<!-- run: (\\S+) -->\n```\\w+\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		out[m[1]] = m[2]
	}
	return out
}

// python is the interpreter that has PyJWT.
func python(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import jwt, cryptography").Run() == nil {
			return p
		}
	}
	t.Fatal("no Python with PyJWT: run .ci/setup")
	return ""
}

// TestDocumentedVerifiers runs the programs of docs/service-tokens.md with the libraries they name, against the built binary.
func TestDocumentedVerifiers(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{Config: rsaClient})
	dir := t.TempDir()
	programs := snippets(t)
	for name, text := range programs {
		do(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	compile := exec.Command("go", "build", "-o", filepath.Join(dir, "m2"), filepath.Join(dir, "m2.go"))
	compile.Dir = server.Root()
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("the Go program does not build: %v\n%s", err, out)
	}
	good, bad := presented(ctx, t, s)
	for name, run := range map[string][]string{
		"m2.cjs": {"node", filepath.Join(dir, "m2.cjs")}, "m2.py": {python(t), filepath.Join(dir, "m2.py")}, "m2.go": {filepath.Join(dir, "m2")},
	} {
		if programs[name] == "" {
			t.Fatalf("the document has no program %s", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := func(token string) (string, error) {
				c := exec.CommandContext(ctx, run[0], append(run[1:len(run):len(run)], token)...)
				c.Env = append(os.Environ(), "ISSUER="+s.URL, "AUDIENCE="+m2, "NODE_PATH="+filepath.Join(server.Root(), "peers/node/node_modules"))
				out, err := c.CombinedOutput()
				return string(out), err
			}
			for what, token := range good {
				if out, err := check(token); err != nil || !strings.Contains(out, "microservice") || !strings.Contains(out, "service:m1") {
					t.Errorf("%s is refused: %v %s", what, err, out)
				}
			}
			for what, token := range bad {
				if out, err := check(token); err == nil || !strings.Contains(out, "refused: ") {
					t.Errorf("%s: %v %s", what, err, out)
				}
			}
		})
	}
}

// presented are tokens that a service accepts and that it refuses.
func presented(ctx context.Context, t *testing.T, s *server.Server) (good, bad map[string]string) {
	t.Helper()
	make1 := func(body map[string]any) string {
		body["name"] = "m1"
		token, _ := mint(ctx, t, s, body)
		return token
	}
	forM2 := map[string]any{"audience": []string{m2}}
	token := make1(maps.Clone(forM2))
	good = map[string]string{
		"a token": token, "a century": make1(map[string]any{"audience": []string{m2, "x"}, "ttl_s": 3153600000}),
		"a rotating key": make1(map[string]any{"audience": []string{m2}, "key": "rotating"}),
	}
	p := signUp(ctx, t, s, "planter")
	access, _ := bearer(ctx, t, p)
	if headerOf(t, access)["alg"] != "RS256" {
		t.Fatal("the user's token is of another algorithm, so that nothing is shown")
	}
	r, err := s.Visitor().With("Authorization", "Bearer "+access).Do(ctx, http.MethodPatch, "/me",
		map[string]any{"data": map[string]any{"source": "microservice", "aud": m2, "typ": "JWT", "Source": "microservice"}})
	must(t, "own data", r, err, 200)
	planted, _ := bearer(ctx, t, p)

	parts := strings.Split(token, ".")
	header, claims := headerOf(t, token), claimsOf(t, token)
	more := maps.Clone(claims)
	more["exp"] = 9_999_999_999
	with := func(alg string) string {
		return segmentOf(t, map[string]any{"alg": alg, "typ": "JWT", "kid": header["kid"]})
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	do(t, err)
	foreign := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	foreign.Header["kid"] = header["kid"]
	forged, err := foreign.SignedString(key)
	do(t, err)
	foreign.Header["kid"] = "s-unknown"
	unknown, err := foreign.SignedString(key)
	do(t, err)
	jwks, err := s.Visitor().Get(ctx, "/.well-known/jwks.json")
	must(t, "JWKS", jwks, err, 200)
	mac := hmac.New(sha256.New, jwks.Body)
	mac.Write([]byte(with("HS256") + "." + parts[1]))
	return good, map[string]string{
		"a user's token": access, "a user's token with planted claims": planted,
		"another source": make1(map[string]any{"audience": []string{m2}, "source": "batch"}), "no audience": make1(map[string]any{}),
		"another audience": make1(map[string]any{"audience": []string{"https://m3.example.com"}}),
		"a foreign key":    forged, "an unknown key": unknown, "alg none": with("none") + "." + parts[1] + ".",
		"alg none, signed": with("none") + "." + parts[1] + "." + parts[2],
		"alg HS256":        with("HS256") + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"a longer life":    parts[0] + "." + segmentOf(t, more) + "." + parts[2], "rubbish": "x",
	}
}

// TestKeyAsPEM: for every RSA key of a running server, and for the key of an old one, the PEM is the one that the library jwk-to-pem makes.
func TestKeyAsPEM(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{})
	mint(ctx, t, s, map[string]any{"name": "m1"}) // the static key is there
	r, err := s.Visitor().Get(ctx, "/.well-known/jwks.json")
	var set struct{ Keys []map[string]string }
	do(t, json.Unmarshal(must(t, "JWKS", r, err, 200).Body, &set))
	n, err := base64.RawURLEncoding.DecodeString(set.Keys[len(set.Keys)-1]["n"])
	do(t, err)
	old := maps.Clone(set.Keys[len(set.Keys)-1])
	old["n"], old["kid"] = base64.URLEncoding.EncodeToString(append([]byte{0}, n...)), "old"
	cut := maps.Clone(old) // as the document of the old server prints its sample
	cut["n"], cut["kid"] = strings.TrimRight(old["n"], "=")[:337]+"=", "cut"
	set.Keys = append(set.Keys, old, cut)
	file := filepath.Join(t.TempDir(), "jwks.json")
	text, err := json.Marshal(set)
	do(t, err)
	do(t, os.WriteFile(file, text, 0o600))
	for _, k := range set.Keys {
		if k["kty"] == "OKP" {
			continue // the library does not know it
		}
		mine, err := exec.Command(server.Build(t, ""), "jwk-to-pem", file, "--kid", k["kid"]).Output()
		do(t, err)
		one, err := json.Marshal(k)
		do(t, err)
		c := exec.Command("node", "-e", `process.stdout.write(require("jwk-to-pem")(JSON.parse(process.argv[1])))`, string(one))
		c.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(server.Root(), "peers/node/node_modules"))
		theirs, err := c.CombinedOutput()
		if err != nil || string(mine) != string(theirs) {
			t.Errorf("%s: %v\n%s\n%s", k["kid"], err, mine, theirs)
		}
	}
}
