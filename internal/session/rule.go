package session

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// The rule decides what a presented refresh token means. It is pure: the loaded family with its holder, the facts of the request and
// the client's policy go in, an outcome comes out. Opening seals, minting, signing and storing are steps after it.

// match says how the presented token relates to the loaded family.
type match uint8

const (
	matchNone    match = iota // neither head nor pending, and not minted by us
	matchHead                 // the newest token its holder has presented
	matchPending              // its successor, presented for the first time
	matchMinted               // minted by us for this family (MAC right), neither head nor pending
)

// facts are what a request brings.
type facts struct {
	TenantID      string
	ClientID      string // "" when the client named is gone
	ClientGone    bool
	Authenticated bool // this face authenticated the client
	Proof         string
	Dialect       string // of the face that asks, "" for our own
	Match         match
	Generation    uint32 // written in a matchMinted token
	Hash          Hash   // of the presented token
	At            time.Time
}

// policy is the client's policy for rotation.
type policy struct {
	Grace       time.Duration // how long a replaced token is "late" and not "stolen", counted from its successor's confirmation
	MinRotation time.Duration // a head younger than this is handed back
	Idle        time.Duration
	Reusable    bool // FusionAuth's word: never rotate
	Restored    bool // the store was restored from a snapshot: families may be behind their own answers
}

// verdict says what kind of act follows.
type verdict uint8

const (
	verdictRefuse  verdict = iota // nothing changes
	verdictRepeat                 // hand out what exists; nothing but a coarse last_seen is written
	verdictAdvance                // swap in Next, then hand out
	verdictEnd                    // theft: revoke the family
)

// hand says which refresh token the answer carries.
type hand uint8

const (
	handPresented  hand = iota // the presented token itself: it is the head
	handPending                // token n+1, from SealedPending
	handSealedHead             // token n, from SealedHead
	handMinted                 // a new token n+1, to be minted and sealed into Next
)

// outcome is the rule's answer.
type outcome struct {
	Verdict verdict
	Reason  fault.Reason // of a refusal or end; ReasonSuperseded also marks a late but honest repeat
	Hand    hand
	Next    Family // for verdictAdvance
	Adopted bool   // rule 7 took the presented token as head
	Ahead   bool   // rule 7 refused: the store is behind its own answers, which deserves an alarm
}

// decide is rules 0 to 7, in their order.
func decide(l *Loaded, f *facts, p *policy) outcome {
	fam := &l.Family
	if f.foreign(fam) { // rule 0
		return refuse(fault.ReasonWrongClient)
	}
	if f.Match == matchNone { // rule 1: a made-up token never ends a family
		return refuse(fault.ReasonRefreshUnknown)
	}
	if reason := deadBecause(l, f.ClientGone, f.At); reason != "" { // rule 2
		return refuse(reason)
	}
	if fam.Binding != "" && f.Proof != fam.Binding { // rule 3: a thief without the key cannot even end the family
		return refuse(fault.ReasonBindingMismatch)
	}
	switch {
	case f.Match == matchHead && fam.Pending != nil && !weak.Off("same-successor"): // rule 4: the same successor, however often and however parallel
		return outcome{Verdict: verdictRepeat, Hand: handPending}
	case f.Match == matchHead:
		return serveHead(fam, false, f, p)
	case f.Match == matchPending: // rule 5
		next := confirmed(fam, f.At)
		return serveHead(&next, true, f, p)
	case f.Generation < fam.Generation:
		return ancestor(fam, f, p) // rule 6
	default:
		return ahead(fam, f, p) // rule 7
	}
}

func refuse(reason fault.Reason) outcome { return outcome{Verdict: verdictRefuse, Reason: reason} }

// foreign is rule 0: without it a confidential client's stolen token could be redeemed at an anonymous endpoint, or at another client; and a
// session of one dialect could be turned into one of another, with its longer grace and with tokens its own verifiers must not meet.
func (f *facts) foreign(fam *Family) bool {
	if f.TenantID != fam.TenantID || !f.ClientGone && f.ClientID != fam.ClientID {
		return true
	}
	if f.Dialect != dialectOf(fam) && !weak.Off("one-dialect") {
		return true
	}
	return fam.ClientAuth && !f.Authenticated
}

// deadBecause is rule 2: why nothing of this family may be used at the instant, "" when it is live. A disabled person hears that, and not
// that the session which ended with them is revoked.
func deadBecause(l *Loaded, clientGone bool, at time.Time) fault.Reason {
	fam, ours := &l.Family, l.Family.UserID != ""
	switch {
	case ours && (!l.Holder.Present || l.Holder.Status != user.Active):
		return fault.ReasonUserDisabled
	case clientGone || ours && !l.Holder.Registered:
		return fault.ReasonClientGone
	case fam.Revoked() && !weak.Off("revoke-guard"):
		return fault.ReasonSessionRevoked
	case ours && l.Holder.Epoch != fam.Epoch:
		return fault.ReasonSessionRevoked
	case passed(fam.IdleExpiry, at) || passed(fam.AbsoluteExpiry, at):
		return fault.ReasonSessionExpired
	}
	return ""
}

func passed(limit, at time.Time) bool { return !limit.IsZero() && !at.Before(limit) }

// ancestor is rule 6: a token older than head. Late is not stolen: a slow second tab sends the parent within the grace of the successor's
// first use. Afterwards one of the two parties is a thief, and nobody can say which.
func ancestor(fam *Family, f *facts, p *policy) outcome {
	if weak.Off("reuse") {
		next := adopted(fam, f)
		return serveHead(&next, true, f, p)
	}
	if fam.Binding == "" && !fam.confirmedWithin(f.Generation+1, f.At, p.Grace) {
		return outcome{Verdict: verdictEnd, Reason: fault.ReasonRefreshReused}
	}
	if f.Generation+1 != fam.Generation || len(fam.SealedHead) == 0 {
		return refuse(fault.ReasonSuperseded) // only the direct parent opens the head
	}
	return outcome{Verdict: verdictRepeat, Reason: fault.ReasonSuperseded, Hand: handSealedHead}
}

// ahead is rule 7: the token is ours but newer than the store knows (restore, failover). Only a store known to be restored believes it.
func ahead(fam *Family, f *facts, p *policy) outcome {
	if !p.Restored {
		return outcome{Verdict: verdictRefuse, Reason: fault.ReasonRefreshUnknown, Ahead: true}
	}
	next := adopted(fam, f)
	o := serveHead(&next, true, f, p)
	o.Adopted = true
	return o
}
