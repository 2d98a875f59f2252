package login

import (
	"crypto/subtle"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// The rule of a hand-off. A first device, signed in, shows a session code; a second device claims it; the first device confirms by typing
// the number that the second one shows; the second one redeems its claim for a session of its own. Each step is a pure function from one
// value to the next, and the value is moved by a swap: of many callers exactly one takes each step, and no step is taken twice.

// HandoffStage is how far a hand-off has come.
type HandoffStage string

// The stages. Confirmed leads to Taken; Refused and Taken lead nowhere.
const (
	HandoffOffered   HandoffStage = "offered"   // the code is shown and may be claimed
	HandoffClaimed   HandoffStage = "claimed"   // a second device shows its number
	HandoffConfirmed HandoffStage = "confirmed" // the number was typed on the first device
	HandoffRefused   HandoffStage = "refused"   // another number was typed
	HandoffTaken     HandoffStage = "taken"     // the second device has its session
)

// handoff is what is kept, as JSON, for the life of a code. Of code and claim secret only hashes are here: whoever reads the values of
// ephemeral can neither claim nor redeem.
type handoff struct {
	Stage     HandoffStage `json:"stage"`
	CodeHash  []byte       `json:"code"`
	CodeKey   uint32       `json:"key"` // MAC key the code was made with
	Confirm   bool         `json:"confirm"`
	Parent    parent       `json:"parent"`
	First     party        `json:"first"`
	ExpiresAt time.Time    `json:"expires"`

	ClaimHash []byte `json:"claim,omitempty"`
	Number    string `json:"number,omitempty"` // the second device shows it, the first types it; no secret to either
	Second    party  `json:"second"`
}

// parent is what the child takes over from the session of the first device.
type parent struct {
	ID       string    `json:"id"`
	ClientID string    `json:"client"`
	UserID   string    `json:"user"`
	Epoch    int64     `json:"epoch"`
	AuthTime time.Time `json:"auth_time"`
	AMR      []string  `json:"amr"`
	ACR      string    `json:"acr"`
	Absolute time.Time `json:"absolute"`
	Hint     string    `json:"hint"` // of the account, for the second device
}

// party is a device as the other side sees it.
type party struct {
	Place string `json:"place,omitempty"`
	Agent string `json:"agent,omitempty"`
	Key   string `json:"jkt,omitempty"` // thumbprint of the key that the second device proved: its session is bound to it, and nobody else gets it
}

func (h handoff) encode() []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic(err) // texts, bytes and instants always encode
	}
	return b
}

// step is a rule: the next value, and what its caller is told. When move is false nothing changes.
type step func(h handoff) (next handoff, move bool, refusal *fault.Error)

func codeGone() *fault.Error {
	return fault.New(fault.Gone, fault.ReasonGone, "this code was used already, has expired, or never was")
}

func wrongClient() *fault.Error {
	return fault.New(fault.Forbidden, fault.ReasonWrongClient, "this code belongs to another application")
}

func wrongKey() *fault.Error {
	return fault.New(fault.Unauthenticated, fault.ReasonBindingMismatch, "the code was claimed with a key, and no proof of it was sent")
}

// fits compares in constant time.
func fits(hash []byte, text string) bool {
	return subtle.ConstantTimeCompare(hash, secret.Hash(text)) == 1
}

// claim takes an offered code for a second device. Without confirmation it leads straight to the session.
func claim(code, clientID string, second party, claimHash []byte, number string) step {
	return func(h handoff) (handoff, bool, *fault.Error) {
		switch {
		case h.Stage != HandoffOffered || !fits(h.CodeHash, code):
			return h, false, codeGone()
		case h.Parent.ClientID != clientID:
			return h, false, wrongClient()
		}
		h.Second = second
		if !h.Confirm {
			h.Stage = HandoffTaken
			return h, true, nil
		}
		h.Stage, h.ClaimHash, h.Number = HandoffClaimed, claimHash, number
		return h, true, nil
	}
}

// confirm is the one try at the number. A wrong one ends the hand-off: with two digits a second try would be worth a lot to a guesser.
// Only the very session that made the code may confirm; to every other one there is no such code.
func confirm(sessionID, number string) step {
	return func(h handoff) (handoff, bool, *fault.Error) {
		switch {
		case h.Parent.ID != sessionID:
			return h, false, codeGone()
		case h.Stage == HandoffOffered:
			return h, false, fault.New(fault.Conflict, fault.ReasonConflict, "no device has used this code yet")
		case h.Stage != HandoffClaimed:
			return h, false, codeGone()
		case subtle.ConstantTimeCompare([]byte(h.Number), []byte(number)) != 1:
			h.Stage = HandoffRefused
			return h, true, fault.New(fault.Forbidden, fault.ReasonWrongNumber, "that is not the number; the code has been ended")
		}
		h.Stage = HandoffConfirmed
		return h, true, nil
	}
}

// waiting is no refusal to anybody outside: the first device has not confirmed yet.
func waiting() *fault.Error {
	return fault.New(fault.Conflict, fault.ReasonPending, "waiting for the first device")
}

// redeem turns a confirmed claim into a session. Without its secret, and the key it was made with, a claim is worth nothing, whoever saw the
// code or the claim's id; and a wrong secret or key ends nothing, or whoever saw the code could. A key that comes only now binds as well.
func redeem(claimSecret, clientID, key string, skipConfirm bool) step {
	return func(h handoff) (handoff, bool, *fault.Error) {
		switch {
		case h.ClaimHash == nil || !fits(h.ClaimHash, claimSecret):
			return h, false, codeGone()
		case h.Parent.ClientID != clientID:
			return h, false, wrongClient()
		case h.Second.Key != "" && h.Second.Key != key && !weak.Off("handoff-key"):
			return h, false, wrongKey()
		case h.Stage == HandoffRefused:
			return h, false, fault.New(fault.Forbidden, fault.ReasonWrongNumber, "another number was typed on the first device; please start again")
		case h.Stage == HandoffClaimed && !skipConfirm:
			return h, false, waiting()
		case h.Stage != HandoffConfirmed && h.Stage != HandoffClaimed:
			return h, false, codeGone()
		}
		h.Stage, h.Second.Key = HandoffTaken, key
		return h, true, nil
	}
}
