package session

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Hash is the stored hash of a refresh token (secret.RefreshHash).
type Hash = [32]byte

// Confirmation remembers when a generation was confirmed by its holder.
type Confirmation struct {
	Generation uint32    `json:"n"`
	At         time.Time `json:"at"`
}

// MaxConfirmations is how many confirmations a family remembers.
const MaxConfirmations = 8

// Family is a session and its refresh-token family: one row. Zero instants mean "never".
type Family struct {
	TenantID   string
	ID         string // UUIDv7, the sid claim
	ClientID   string
	ClientAuth bool   // the client must be authenticated to refresh
	OpenedBy   string // which face opened it
	Subject    string // a user id; for the SuperTokens face any string
	UserID     string // the user row that guards it, "" when the subject is not one of our users
	Epoch      int64  // the user's epoch seen at open

	Generation    uint32
	Head          Hash   // newest token its holder has presented (at open: the first token)
	Foreign       bool   // Head is a token of another system's form, which does not name its family: it is found by its hash
	Pending       *Hash  // minted, not yet presented
	SealedPending []byte // token n+1, openable only with token n
	SealedHead    []byte // token n, openable only with token n−1
	Confirmations []Confirmation
	HeadMinted    time.Time
	PendingMinted time.Time

	CreatedAt       time.Time
	LastSeen        time.Time // coarse: at most once a minute
	IdleExpiry      time.Time
	AbsoluteExpiry  time.Time
	Binding         string // DPoP key thumbprint, "" when unbound; set only when the family is opened
	ParentID        string // sid of the session it was handed off from
	SSOID           string // issuer-wide sign-on session
	OrgID           string
	Device          string // known-device id
	Agent           string // shown in the person's own list of sessions
	Place           string
	Scope           string
	Audience        []string
	AuthTime        time.Time
	AMR             []string
	ACR             string
	AntiCSRF        string // id of the ring key it follows from, and its hash; SuperTokens face
	StaticKey       bool   // SuperTokens face: sign with a static key
	AccessPayload   []byte // dialect data: userDataInJWT
	DatabasePayload []byte // dialect data: userDataInDatabase

	Version       int64
	RevokedAt     time.Time
	RevokedReason string
}

// Revoked reports whether the session was ended.
func (f *Family) Revoked() bool { return !f.RevokedAt.IsZero() }

// Holder is what the one query of a refresh brings beside the family: the subject as it stands now. Present is false when the subject
// is not one of our users (SuperTokens face) and then the rest is zero.
type Holder struct {
	Present      bool
	Status       user.Status
	Epoch        int64
	Name         string
	Locale       string
	Email        string // primary, normalised
	Verified     bool
	VerifiedAt   time.Time // zero unless Verified
	CreatedAt    time.Time // of the user
	Registered   bool
	Roles        []string
	UserData     []byte
	RegisterData []byte
}

// Loaded is a family with its holder.
type Loaded struct {
	Family Family
	Holder Holder
}
