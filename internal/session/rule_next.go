package session

import (
	"time"
)

// seenEvery is how coarse LastSeen is.
const seenEvery = time.Minute

// age is how long ago an instant was. Clocks of two nodes may differ: a negative age counts as 0.
func age(since, at time.Time) time.Duration { return max(0, at.Sub(since)) }

// serveHead is rule 4 with pending empty: hand a young head back, else rotate. changed says that fam already differs from the stored row.
func serveHead(fam *Family, changed bool, f *facts, p *policy) outcome {
	if p.Reusable || age(fam.HeadMinted, f.At) < p.MinRotation {
		if !changed && !(p.Reusable && seenDue(fam, f.At)) {
			return outcome{Verdict: verdictRepeat, Hand: handPresented}
		}
		return outcome{Verdict: verdictAdvance, Hand: handPresented, Next: seen(*fam, changed, f.At, p)}
	}
	next := seen(*fam, changed, f.At, p)
	next.PendingMinted = f.At
	return outcome{Verdict: verdictAdvance, Hand: handMinted, Next: next}
}

// seen moves the idle limit, never past the absolute one. Only writes that follow a first use come here: repeats never extend the idle
// limit. A sealed head that an earlier write left behind (fresh is false) goes when its grace is over.
func seen(fam Family, fresh bool, at time.Time, p *policy) Family {
	fam.LastSeen = at
	fam.IdleExpiry = at.Add(p.Idle)
	if !fam.AbsoluteExpiry.IsZero() && fam.IdleExpiry.After(fam.AbsoluteExpiry) {
		fam.IdleExpiry = fam.AbsoluteExpiry
	}
	if !fresh && len(fam.SealedHead) > 0 && !fam.confirmedWithin(fam.Generation, at, p.Grace) {
		fam.SealedHead = nil
	}
	return fam
}

func seenDue(fam *Family, at time.Time) bool { return at.Sub(fam.LastSeen) >= seenEvery }

// confirmed is rule 5: the holder has shown that the pending token arrived.
func confirmed(fam *Family, at time.Time) Family {
	next := *fam
	next.Generation++
	next.Head, next.HeadMinted, next.SealedHead = *fam.Pending, fam.PendingMinted, fam.SealedPending
	next.Foreign = false // what is pending is always of our form
	next.Pending, next.PendingMinted, next.SealedPending = nil, time.Time{}, nil
	next.Confirmations = remember(fam.Confirmations, Confirmation{Generation: next.Generation, At: at})
	return next
}

// ConfirmedByChild is rule 5b: a child access token of the pending refresh token was used (SuperTokens' verify), so its holder has it. The
// seals go, because that dialect knows no grace; rule 4 mints later. False when nothing is pending.
func ConfirmedByChild(fam Family, at time.Time) (Family, bool) {
	if fam.Pending == nil {
		return fam, false
	}
	next := confirmed(&fam, at)
	next.SealedHead = nil
	return next, true
}

// adopted takes a presented token that is ahead of a restored store as the head.
func adopted(fam *Family, f *facts) Family {
	next := *fam
	next.Generation, next.Head, next.Foreign, next.HeadMinted = f.Generation, f.Hash, false, f.At
	next.Pending, next.PendingMinted, next.SealedPending, next.SealedHead = nil, time.Time{}, nil, nil
	next.Confirmations = remember(fam.Confirmations, Confirmation{Generation: f.Generation, At: f.At})
	return next
}

// remember appends without touching the loaded slice, and keeps the last MaxConfirmations.
func remember(old []Confirmation, c Confirmation) []Confirmation {
	if over := len(old) - (MaxConfirmations - 1); over > 0 {
		old = old[over:]
	}
	out := make([]Confirmation, len(old), len(old)+1)
	copy(out, old)
	return append(out, c)
}

// confirmedWithin reports whether a generation was confirmed less than grace ago. One that is no longer remembered was not.
func (f *Family) confirmedWithin(generation uint32, at time.Time, grace time.Duration) bool {
	for i := len(f.Confirmations) - 1; i >= 0; i-- {
		if c := &f.Confirmations[i]; c.Generation == generation {
			return age(c.At, at) < grace
		}
	}
	return false
}
