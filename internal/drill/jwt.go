package drill

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// algConfusion: tokens whose header asks the verifier to check them another way than the key allows (RFC 8725 section 3.1).
func algConfusion(ctx context.Context, t *Target) (Verdict, error) {
	parts, err := validParts(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	jwks, err := t.Visitor().Get(ctx, "/.well-known/jwks.json")
	if err != nil {
		return Verdict{}, err
	}
	header := map[string]any{}
	if err := segment(parts[0], &header); err != nil {
		return Verdict{}, err
	}
	for _, alg := range []string{"none", "None", "NONE", "HS256", "RS512", "PS256", "ES256", "EdDSA", ""} {
		h := clone(header)
		h["alg"] = alg
		head := encodeSegment(h) + "." + parts[1]
		mac := hmac.New(sha256.New, jwks.Body)
		mac.Write([]byte(head))
		for _, signature := range []string{"", parts[2], base64.RawURLEncoding.EncodeToString(mac.Sum(nil))} {
			if alg == header["alg"] && signature == parts[2] {
				continue
			}
			if r, err := t.Me(ctx, head+"."+signature); err != nil || r.Status != http.StatusUnauthorized {
				return succeeded("alg %q was taken: %v %v", alg, r, err)
			}
		}
	}
	return refused("no header changes how a key is used")
}

// kidInjection: key ids that are paths, SQL, URLs, or the key itself beside them. An id is a map key and nothing else.
func kidInjection(ctx context.Context, t *Target) (Verdict, error) {
	parts, err := validParts(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	header := map[string]any{}
	if err := segment(parts[0], &header); err != nil {
		return Verdict{}, err
	}
	for _, change := range []map[string]any{
		{"kid": "../../../../dev/null"}, {"kid": "' UNION SELECT 'x"}, {"kid": "http://127.0.0.1:1/key"}, {"kid": ""}, {"kid": nil},
		{"kid": "x", "jku": t.URL + "/.well-known/jwks.json"}, {"kid": "x", "x5u": "http://127.0.0.1:1/"},
		{"kid": "x", "jwk": map[string]string{"kty": "oct", "k": "AA"}}, {"crit": []string{"b64"}, "b64": false},
	} {
		h := clone(header)
		for k, v := range change {
			h[k] = v
		}
		for _, signature := range []string{"", parts[2]} {
			if r, err := t.Me(ctx, encodeSegment(h)+"."+parts[1]+"."+signature); err != nil || r.Status != http.StatusUnauthorized {
				return succeeded("header %v was taken: %v %v", change, r, err)
			}
		}
	}
	return refused("foreign key ids and keys in headers are plain unknown keys")
}

func validParts(ctx context.Context, t *Target) ([]string, error) {
	p, err := t.SignUp(ctx, "forger")
	if err != nil {
		return nil, err
	}
	access, _, err := p.Bearer(ctx)
	if err != nil {
		return nil, err
	}
	if r, err := t.Me(ctx, access); err != nil || r.Status != http.StatusOK {
		return nil, fmt.Errorf("the unchanged token: %v %v", r, err)
	}
	return strings.Split(access, "."), nil
}

func segment(s string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func encodeSegment(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

func clone(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}
