package jose

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// PEM is the public key as PEM of a SubjectPublicKeyInfo (RFC 7468 section 13), with a line feed at its end.
func (k *PublicKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParseOldJWK is ParseJWK for keys as older servers wrote them: numbers with '=' at their end and a zero byte at their beginning, which RFC
// 7518 section 6.3.1.1 forbids. It is for a person who pastes a key, never for keys that the server fetches.
func ParseOldJWK(data []byte) (*PublicKey, error) {
	members, err := strictjson.Object(data, strictjson.Limits{Bytes: maxJWK, Depth: 4})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	clean := map[string]json.RawMessage{}
	for _, m := range members {
		clean[m.Name] = m.Value
		text, ok := m.Text()
		if !ok || m.Name != "n" && m.Name != "e" {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return nil, fmt.Errorf("%w: %s is not base64url", ErrKey, m.Name)
		}
		for len(raw) > 1 && raw[0] == 0 {
			raw = raw[1:]
		}
		clean[m.Name], err = json.Marshal(b64.EncodeToString(raw))
		if err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(clean)
	if err != nil {
		return nil, err
	}
	return ParseJWK(text)
}
