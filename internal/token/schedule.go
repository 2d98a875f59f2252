package token

import (
	"cmp"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// Policy times the keys of one tenant.
type Policy struct {
	Statics  int           // static keys kept published
	Rotation time.Duration // how long a rotating key signs
	Publish  time.Duration // how long a key is published before it signs: the life of a cached JWKS, and the time other nodes need
	Overlap  time.Duration // how long a retired key stays published: the life of its last token, and a margin
}

// Want is a key that should exist and does not.
type Want struct {
	Kind      Kind
	Alg       string
	Slot      int64
	SignsFrom time.Time
	First     bool // nothing of this algorithm can sign yet: somebody may be waiting
}

// Plan is what keys, instant and policy come to.
type Plan struct {
	Published []SigningKey // rotating ones newest first, then the static ones
	Dead      []SigningKey // retired and past their last token
	Missing   []Want       // the most urgent first
	Next      time.Time    // when the plan changes by the clock alone; zero: never
}

// Schedule is the whole rule of key life, as a pure function. For each algorithm slot n signs from its SignsFrom until slot n+1's; the
// next slot is made and announced as soon as its predecessor begins. A withdrawn key counts as absent. A retired key stays published for its
// user tokens (Overlap), and for as long as a service's token that it signed lives (KeepUntil).
func Schedule(keys []SigningKey, at time.Time, p Policy) Plan {
	var plan Plan
	for _, alg := range jose.Algs() {
		plan.lane(lane(keys, alg), alg, at, p)
	}
	slices.SortStableFunc(plan.Published, func(a, b SigningKey) int { return b.SignsFrom.Compare(a.SignsFrom) })
	plan.statics(keys, at, p)
	slices.SortStableFunc(plan.Missing, func(a, b Want) int { return cmp.Compare(a.urgency(), b.urgency()) })
	return plan
}

// urgency: first keys before static ones before the announced next; RSA last, because it takes long to make.
func (w Want) urgency() int {
	u := 0
	switch {
	case w.Kind == Static:
		u = 2
	case !w.First:
		u = 4
	}
	if w.Alg == jose.RS256 {
		u++
	}
	return u
}

// lane is the rotating keys of one algorithm that may be used, by slot.
func lane(keys []SigningKey, alg string) []SigningKey {
	var out []SigningKey
	for _, k := range keys {
		if k.Kind == Rotating && k.Alg == alg && k.Withdrawn.IsZero() {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b SigningKey) int { return cmp.Compare(a.Slot, b.Slot) })
	return out
}

// current is the index of the key of a lane that signs at an instant: the highest slot that has begun, else the lowest one, so that there
// is a signing key whenever there is a key (a node's clock may be behind the one that made it). -1 when the lane is empty.
func current(lane []SigningKey, at time.Time) int {
	for i := len(lane) - 1; i >= 0; i-- {
		if !lane[i].SignsFrom.After(at) {
			return i
		}
	}
	return min(0, len(lane)-1)
}

func (plan *Plan) lane(lane []SigningKey, alg string, at time.Time, p Policy) {
	now := current(lane, at)
	if now < 0 {
		plan.Missing = append(plan.Missing, Want{Kind: Rotating, Alg: alg, SignsFrom: at, First: true})
		return
	}
	for i, k := range lane {
		if i < now {
			if death := latest(retired(lane[i+1:]).Add(p.Overlap), k.KeepUntil); at.Before(death) {
				plan.due(death)
			} else {
				plan.Dead = append(plan.Dead, k)
				continue
			}
		}
		if i > now {
			plan.due(k.SignsFrom)
		}
		plan.Published = append(plan.Published, k)
	}
	if k := lane[now]; now == len(lane)-1 {
		plan.Missing = append(plan.Missing, Want{
			Kind: Rotating, Alg: alg, Slot: k.Slot + 1, SignsFrom: latest(k.SignsFrom.Add(p.Rotation), at.Add(p.Publish)),
		})
	}
}

// retired is when the first of the successors began.
func retired(successors []SigningKey) time.Time {
	first := successors[0].SignsFrom
	for _, s := range successors[1:] {
		if s.SignsFrom.Before(first) {
			first = s.SignsFrom
		}
	}
	return first
}

func (plan *Plan) statics(keys []SigningKey, at time.Time, p Policy) {
	taken := map[int64]bool{}
	for _, k := range keys {
		if k.Kind == Static && k.Withdrawn.IsZero() {
			plan.Published = append(plan.Published, k)
			taken[k.Slot] = true
		}
	}
	for slot := int64(0); len(taken) < p.Statics; slot++ {
		if !taken[slot] {
			taken[slot] = true
			plan.Missing = append(plan.Missing, Want{Kind: Static, Alg: jose.RS256, Slot: slot, SignsFrom: at})
		}
	}
}

func (plan *Plan) due(at time.Time) {
	if plan.Next.IsZero() || at.Before(plan.Next) {
		plan.Next = at
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
