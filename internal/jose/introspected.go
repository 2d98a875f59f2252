package jose

import "github.com/gatehouse-auth/gatehouse/internal/strictjson"

// Introspected reads the answer of an introspection endpoint (RFC 7662 section 2.2) as the access token it tells about, for one set of rules
// over both: Rules.Judge holds for it, and typ is what a token of ours would say. Nothing was signed: trust in it is trust in the
// connection. ErrClaims when a registered claim has the wrong form or exp is missing.
func Introspected(answer []byte) (*Token, error) {
	members, err := strictjson.Object(answer, strictjson.Limits{Bytes: len(answer)})
	if err != nil {
		return nil, ErrClaims
	}
	t := &Token{Type: "at+jwt", Claims: members}
	if !t.registered() {
		return nil, ErrClaims
	}
	return t, nil
}
