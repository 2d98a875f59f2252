package jose

import (
	"errors"
)

// maxTried bounds how many keys one token is tried against: each try costs a verification, and strangers choose the token.
const maxTried = 8

// Set is the keys of another party as it publishes them, in its order. Unlike in Keys one may be without a kid, which RFC 7517 section 4.5
// leaves to its owner: a party with a single key often gives it none.
type Set []*PublicKey

// ParseSet reads a set by the rules of ParseJWKS, and keeps keys without a kid.
func ParseSet(data []byte) (Set, error) {
	set, seen := Set{}, map[string]bool{}
	err := eachJWK(data, true, func(key *PublicKey) error {
		if key.kid != "" && seen[key.kid] {
			return errTwice
		}
		seen[key.kid] = true
		set = append(set, key)
		return nil
	})
	return set, err
}

// OpenBy is Open with a set. A token with a kid is tried against the key of that kid, else against those without one; a token without a kid
// against every key of its algorithm, the first few of them. ErrUnknownKey says that none of the set is its key.
func OpenBy(r Rules, set Set, raw string) (*Token, error) {
	candidates, kid := set.candidates(raw)
	for _, key := range candidates {
		t, err := Open(r, Keys{kid: key}, raw)
		if err == nil || !errors.Is(err, ErrSignature) {
			return t, err
		}
		if key.kid != "" && key.kid == kid {
			return nil, err // the key was named
		}
	}
	return Open(r, nil, raw)
}

// candidates are the keys that a token may have been signed with, by its header alone, and its kid.
func (s Set) candidates(raw string) ([]*PublicKey, string) {
	h, ok := peek(raw)
	if !ok {
		return nil, ""
	}
	var named, unnamed, all []*PublicKey
	for _, key := range s {
		if key.kid != "" && key.kid == h.kid {
			named = append(named, key)
		}
		if key.alg != h.alg { // the key decides, and none is tried with another algorithm than its own
			continue
		}
		all = append(all, key)
		if key.kid == "" {
			unnamed = append(unnamed, key)
		}
	}
	switch {
	case named != nil:
		return named, h.kid
	case h.kid != "":
		all = unnamed
	}
	return all[:min(len(all), maxTried)], h.kid
}
