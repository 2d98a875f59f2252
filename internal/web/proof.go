package web

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// NonceHeader carries a nonce that the next proof of possession is to repeat (RFC 9449 section 8).
const NonceHeader = "DPoP-Nonce"

// Proof is the proof of possession that came with the call, "" for none. Two of them are refused (RFC 9449 section 4.3, check 1).
func (x *Exchange) Proof() (string, error) {
	switch found := x.R.Header.Values("DPoP"); len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fault.New(fault.Unauthenticated, fault.ReasonOAuthProof, "two proofs of possession came with one call")
}

// Bound reports whether the Authorization header says that its token is bound to a key (RFC 9449 section 7.1).
func (x *Exchange) Bound() bool {
	scheme, _, _ := strings.Cut(x.R.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "DPoP")
}

// URL is where the caller sent this call, without query. The host was checked against those that are served.
func (x *Exchange) URL() string {
	scheme := "http"
	if x.peer.secure {
		scheme = "https"
	}
	return scheme + "://" + x.R.Host + x.R.URL.EscapedPath()
}

// proofChallenge is the challenge of RFC 9449 section 7.1 for refusals that a proof would mend, "" for others.
func proofChallenge(e *fault.Error) string {
	const algs = `, algs="EdDSA ES256 RS256"`
	switch e.Reason {
	case fault.ReasonOAuthNonce, fault.ReasonOAuthProof:
		return `DPoP error="` + string(e.Reason) + `"` + algs
	case fault.ReasonBindingMismatch:
		return `DPoP error="invalid_token", error_description="` + string(e.Reason) + `"` + algs
	}
	return ""
}
