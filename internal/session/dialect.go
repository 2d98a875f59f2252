package session

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// DialectSuperTokens is the face whose libraries make access tokens and rules of rotation of their own. A family it opened is refreshed there
// and nowhere else, and it refreshes no other: each face would else hand out what the other's verifiers must not accept.
const DialectSuperTokens = "supertokens"

// Dialect is how a face with access tokens of its own form takes part in the engine: what it makes and checks, never what a refresh means.
// Its families know no grace and no shortest rotation.
type Dialect struct {
	Name string // DialectSuperTokens
	// Client finds a family's own client, nil when it is gone: the default client of a tenant may change, and nobody is to be logged out by that.
	Client func(id string) *tenant.Client
	// Sign makes an access token, outside any transaction.
	Sign func(ctx context.Context, m Making) (Access, error)
}

// Making is what a dialect's access token says.
type Making struct {
	Family   *Family
	Life     time.Duration // the client's policy; Until bounds it
	Until    time.Time     // the family's absolute expiry, zero for none
	H1       string        // of the refresh token it comes with
	ParentH1 string        // of the refresh token it was got for, "" when it needs no confirmation
	AntiCSRF string        // "" for none
	Payload  []byte        // JSON object of the caller's own claims
	At       time.Time
	Expires  time.Time // zero leaves it to Life
}

// Access is a signed access token of a dialect.
type Access struct {
	Token    secret.Text
	IssuedAt time.Time
	Expires  time.Time
}

// dialectOf is the dialect of a family, "" for our own.
func dialectOf(fam *Family) string {
	if fam.OpenedBy == DialectSuperTokens {
		return DialectSuperTokens
	}
	return ""
}

// AntiCSRF is the family's token against forged cross-site requests, "" when it has none. It follows from a ring key and the family alone, so
// that repeated and parallel refreshes give the same one while the store keeps only its hash.
func (s *Service) AntiCSRF(fam *Family) string {
	id, _, found := strings.Cut(fam.AntiCSRF, ".")
	key, err := strconv.ParseUint(id, 10, 32)
	if !found || err != nil {
		return ""
	}
	return s.antiCSRF(fam, uint32(key))
}

func (s *Service) antiCSRF(fam *Family, key uint32) string {
	mac, err := s.ring.MACWith(key, "anti-csrf "+fam.TenantID, []byte(fam.ID))
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(mac)
}

// withAntiCSRF gives the family one when it has none.
func (s *Service) withAntiCSRF(fam *Family) {
	if fam.AntiCSRF != "" {
		return
	}
	key := s.ring.ActiveMAC()
	fam.AntiCSRF = strconv.FormatUint(uint64(key), 10) + "." + hex.EncodeToString(secret.Hash(s.antiCSRF(fam, key)))
}

// checkAntiCSRF reports whether the presented one is the family's; where it has none nothing is asked.
func checkAntiCSRF(fam *Family, presented string) bool {
	_, hash, found := strings.Cut(fam.AntiCSRF, ".")
	if !found {
		return true
	}
	return subtle.ConstantTimeCompare([]byte(hash), []byte(hex.EncodeToString(secret.Hash(presented)))) == 1
}

// making fills what follows from the family; the rest is the caller's.
func (s *Service) making(fam *Family, life time.Duration, at time.Time) Making {
	return Making{
		Family: fam, Life: life, Until: fam.AbsoluteExpiry, AntiCSRF: s.AntiCSRF(fam), Payload: fam.AccessPayload, At: at,
	}
}

// OpenDialectRequest asks for a session of a dialect, on the word of a backend: nobody was proved to us.
type OpenDialectRequest struct {
	Dialect         *Dialect
	Tenant          *tenant.Tenant
	Client          *tenant.Client
	Subject         string     // any text
	User            *user.User // the subject when it is one of our users, with its registration for Client when there is one; else nil
	OrgID           string
	StaticKey       bool
	AntiCSRF        bool
	AccessPayload   []byte
	DatabasePayload []byte
}
