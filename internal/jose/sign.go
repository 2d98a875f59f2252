package jose

import (
	"encoding/base64"
	"encoding/json"
)

var b64 = base64.RawURLEncoding.Strict()

// Stamp signs many tokens of one type with one key: the header is made once.
type Stamp struct {
	signer Signer
	head   []byte // base64url header and a dot
}

// NewStamp makes the header {"alg", "kid", "typ"} for a key and a type such as "at+jwt".
func NewStamp(s Signer, typ string) (*Stamp, error) { return NewVersionStamp(s, typ, "") }

// NewVersionStamp is NewStamp with a "version" header, by which SuperTokens' libraries tell session tokens from others.
func NewVersionStamp(s Signer, typ, version string) (*Stamp, error) {
	header, err := json.Marshal(struct {
		Alg     string `json:"alg"`
		KID     string `json:"kid"`
		Typ     string `json:"typ,omitempty"`
		Version string `json:"version,omitempty"`
	}{s.Alg(), s.KID(), typ, version})
	if err != nil {
		return nil, err
	}
	return &Stamp{signer: s, head: append(b64.AppendEncode(nil, header), '.')}, nil
}

// Sign gives the compact form of claims, which must be a JSON object already encoded.
func (s *Stamp) Sign(claims []byte) (string, error) {
	out := make([]byte, 0, len(s.head)+b64.EncodedLen(len(claims))+1+b64.EncodedLen(maxSignature))
	out = append(out, s.head...)
	out = b64.AppendEncode(out, claims)
	sig, err := s.signer.Sign(out)
	if err != nil {
		return "", err
	}
	out = append(out, '.')
	return string(b64.AppendEncode(out, sig)), nil
}

const maxSignature = maxRSA / 8

// Sign encodes claims with encoding/json and signs them: for tokens that are made rarely.
func Sign(s Signer, typ string, claims any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	stamp, err := NewStamp(s, typ)
	if err != nil {
		return "", err
	}
	return stamp.Sign(body)
}
