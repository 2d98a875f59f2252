package session

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A refresh token of ours is "gr_" and the base64url text, without padding, of
//
//	version (1) | MAC key id (4) | family id (16) | generation (4) | random (32) | MAC (32)
//
// numbers big-endian. The MAC covers everything before it, with the tenant as its context. It only classifies tokens whose hash is
// neither head nor pending: a made-up token can then never end a family, and old tokens need no history.
const (
	tokenPrefix   = "gr_"
	dialectPrefix = "st_rt_"
	tokenVersion  = 1

	offKey        = 1
	offFamily     = offKey + 4
	offGeneration = offFamily + 16
	offRandom     = offGeneration + 4
	offMAC        = offRandom + 32
	rawLen        = offMAC + 32
	encodedLen    = (rawLen*8 + 5) / 6
	tokenLen      = len(tokenPrefix) + encodedLen

	// maxPresented bounds foreign tokens, in bytes. Longer ones are unknown without a look-up.
	maxPresented = 1024
)

// Strict refuses stray bits in the last character: a token has exactly one spelling, or its hash would miss while its MAC still fits.
var tokenEncoding = base64.RawURLEncoding.Strict()

// tokenText is a token of our form, parsed; nothing in it is proved yet.
type tokenText struct{ raw [rawLen]byte }

// StripPrefix takes off the prefix that the SuperTokens dialect wants in front of a refresh token.
func StripPrefix(text string) string { return strings.TrimPrefix(text, dialectPrefix) }

// parseToken reads a token of our form in its one canonical spelling. False for anything else, foreign tokens included.
func parseToken(text string) (tokenText, bool) {
	var t tokenText
	if len(text) != tokenLen || text[:len(tokenPrefix)] != tokenPrefix {
		return t, false
	}
	var src [encodedLen]byte
	copy(src[:], text[len(tokenPrefix):])
	// The decoder skips line breaks; then it yields fewer bytes than the length promises.
	n, err := tokenEncoding.Decode(t.raw[:], src[:])
	if err != nil || n != rawLen || t.raw[0] != tokenVersion {
		return tokenText{}, false
	}
	return t, true
}

func (t *tokenText) keyID() uint32      { return binary.BigEndian.Uint32(t.raw[offKey:]) }
func (t *tokenText) generation() uint32 { return binary.BigEndian.Uint32(t.raw[offGeneration:]) }
func (t *tokenText) familyID() string {
	return secret.FormatID([16]byte(t.raw[offFamily:offGeneration]))
}

// genuine reports whether we minted the token for this tenant.
func (t *tokenText) genuine(ring *secret.Ring, tenantID string) bool {
	return ring.CheckMAC(t.keyID(), macContext(tenantID), t.raw[:offMAC], t.raw[offMAC:])
}

// mintToken makes the token of a family's generation.
func mintToken(ring *secret.Ring, tenantID, familyID string, generation uint32) (string, error) {
	id, ok := secret.ParseID(familyID)
	if !ok {
		return "", fmt.Errorf("family id %q is not a UUID", familyID)
	}
	var t tokenText
	key := ring.ActiveMAC()
	t.raw[0] = tokenVersion
	binary.BigEndian.PutUint32(t.raw[offKey:], key)
	copy(t.raw[offFamily:], id[:])
	binary.BigEndian.PutUint32(t.raw[offGeneration:], generation)
	copy(t.raw[offRandom:], secret.Bytes(offMAC-offRandom))
	mac, err := ring.MACWith(key, macContext(tenantID), t.raw[:offMAC])
	if err != nil {
		return "", fmt.Errorf("mint refresh token: %w", err)
	}
	copy(t.raw[offMAC:], mac)
	var out [tokenLen]byte
	copy(out[:], tokenPrefix)
	tokenEncoding.Encode(out[len(tokenPrefix):], t.raw[:])
	return string(out[:]), nil
}

func macContext(tenantID string) string { return "refresh token " + tenantID }

// sealContext ties a sealed successor to its family: a seal copied to another row does not open there.
func sealContext(familyID string) string { return "refresh successor " + familyID }
