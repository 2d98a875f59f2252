package session

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

var ruleNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return ruleNow.Add(-d) }

func hashOf(b byte) Hash { return Hash{b} }

// ruleCase is a live family at generation 5 whose head is 10 minutes old and confirmed then, presented with its head under 60 s / 60 s.
type ruleCase struct {
	l Loaded
	f facts
	p policy
}

func newCase() ruleCase {
	return ruleCase{
		l: Loaded{
			Family: Family{
				TenantID: "t", ID: "f", ClientID: "c", Subject: "u", UserID: "u", Epoch: 1, Generation: 5, Head: hashOf(5),
				SealedHead: []byte("head"), Confirmations: []Confirmation{{4, ago(20 * time.Minute)}, {5, ago(10 * time.Minute)}},
				HeadMinted: ago(15 * time.Minute), CreatedAt: ago(time.Hour), LastSeen: ago(10 * time.Minute),
				IdleExpiry: ruleNow.Add(time.Hour), AbsoluteExpiry: ruleNow.Add(240 * time.Hour), Version: 9,
			},
			Holder: Holder{Present: true, Status: user.Active, Epoch: 1, Registered: true},
		},
		f: facts{TenantID: "t", ClientID: "c", Match: matchHead, Hash: hashOf(5), At: ruleNow},
		p: policy{Grace: time.Minute, MinRotation: time.Minute, Idle: 24 * time.Hour},
	}
}

func (c *ruleCase) pending(minted time.Time) {
	h := hashOf(6)
	c.l.Family.Pending, c.l.Family.SealedPending, c.l.Family.PendingMinted = &h, []byte("pending"), minted
}

func (c *ruleCase) present(m match, generation uint32) { c.f.Match, c.f.Generation = m, generation }

func (c *ruleCase) confirm(generation uint32, at time.Time) {
	c.l.Family.Confirmations = append(c.l.Family.Confirmations, Confirmation{generation, at})
}

// One test per clause of the rule. want.Next is not compared here: TestRuleNext does that.
func TestRule(t *testing.T) {
	refusal := func(r fault.Reason) outcome { return outcome{Verdict: verdictRefuse, Reason: r} }
	theft := outcome{Verdict: verdictEnd, Reason: fault.ReasonRefreshReused}
	late := outcome{Verdict: verdictRepeat, Reason: fault.ReasonSuperseded, Hand: handSealedHead}
	tests := []struct {
		name string
		set  func(c *ruleCase)
		want outcome
	}{
		{"0 other tenant", func(c *ruleCase) { c.f.TenantID = "x" }, refusal(fault.ReasonWrongClient)},
		{"0 other client", func(c *ruleCase) { c.f.ClientID = "x" }, refusal(fault.ReasonWrongClient)},
		{"0 client not authenticated", func(c *ruleCase) { c.l.Family.ClientAuth = true }, refusal(fault.ReasonWrongClient)},
		{"0 client authenticated", func(c *ruleCase) { c.l.Family.ClientAuth, c.f.Authenticated = true, true },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"0 before 1", func(c *ruleCase) { c.f.ClientID = "x"; c.present(matchNone, 0) }, refusal(fault.ReasonWrongClient)},
		{"0 wrong client cannot end a family", func(c *ruleCase) { c.f.ClientID = "x"; c.present(matchMinted, 1) }, refusal(fault.ReasonWrongClient)},

		{"1 made-up token", func(c *ruleCase) { c.present(matchNone, 1) }, refusal(fault.ReasonRefreshUnknown)},
		{"1 before 2", func(c *ruleCase) { c.present(matchNone, 1); c.l.Family.RevokedAt = ago(1) }, refusal(fault.ReasonRefreshUnknown)},

		{"2 revoked", func(c *ruleCase) { c.l.Family.RevokedAt = ago(1) }, refusal(fault.ReasonSessionRevoked)},
		{"2 user disabled", func(c *ruleCase) { c.l.Holder.Status = user.Disabled }, refusal(fault.ReasonUserDisabled)},
		{"2 user deleted", func(c *ruleCase) { c.l.Holder.Status = user.Deleted }, refusal(fault.ReasonUserDisabled)},
		{"2 user gone", func(c *ruleCase) { c.l.Holder = Holder{} }, refusal(fault.ReasonUserDisabled)},
		{"2 disabled is said before revoked", func(c *ruleCase) { c.l.Holder.Status = user.Disabled; c.l.Family.RevokedAt = ago(1) },
			refusal(fault.ReasonUserDisabled)},
		{"2 epoch raised", func(c *ruleCase) { c.l.Holder.Epoch = 2 }, refusal(fault.ReasonSessionRevoked)},
		{"2 idle limit", func(c *ruleCase) { c.l.Family.IdleExpiry = ruleNow }, refusal(fault.ReasonSessionExpired)},
		{"2 a moment before the idle limit", func(c *ruleCase) { c.l.Family.IdleExpiry = ruleNow.Add(time.Microsecond) },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"2 absolute limit", func(c *ruleCase) { c.l.Family.AbsoluteExpiry = ruleNow }, refusal(fault.ReasonSessionExpired)},
		{"2 client gone", func(c *ruleCase) { c.f.ClientGone, c.f.ClientID = true, "" }, refusal(fault.ReasonClientGone)},
		{"2 registration gone", func(c *ruleCase) { c.l.Holder.Registered = false }, refusal(fault.ReasonClientGone)},
		{"2 no user of ours guards the subject", func(c *ruleCase) { c.l.Family.UserID, c.l.Holder = "", Holder{} },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"2 before 6", func(c *ruleCase) { c.present(matchMinted, 1); c.l.Family.RevokedAt = ago(1) }, refusal(fault.ReasonSessionRevoked)},

		{"3 proof missing", func(c *ruleCase) { c.l.Family.Binding = "k" }, refusal(fault.ReasonBindingMismatch)},
		{"3 proof by another key", func(c *ruleCase) { c.l.Family.Binding, c.f.Proof = "k", "x" }, refusal(fault.ReasonBindingMismatch)},
		{"3 right proof", func(c *ruleCase) { c.l.Family.Binding, c.f.Proof = "k", "k" }, outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"3 a thief without the key cannot end the family", func(c *ruleCase) { c.l.Family.Binding = "k"; c.present(matchMinted, 1) },
			refusal(fault.ReasonBindingMismatch)},
		{"3 before 7", func(c *ruleCase) { c.l.Family.Binding, c.p.Restored = "k", true; c.present(matchMinted, 9) },
			refusal(fault.ReasonBindingMismatch)},

		{"4 pending present: the same successor", func(c *ruleCase) { c.pending(ago(20 * time.Minute)) },
			outcome{Verdict: verdictRepeat, Hand: handPending}},
		{"4 young head is handed back", func(c *ruleCase) { c.l.Family.HeadMinted = ago(59 * time.Second) },
			outcome{Verdict: verdictRepeat, Hand: handPresented}},
		{"4 head of min_rotation age rotates", func(c *ruleCase) { c.l.Family.HeadMinted = ago(time.Minute) },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"4 min_rotation 0 always rotates", func(c *ruleCase) { c.l.Family.HeadMinted, c.p.MinRotation = ruleNow, 0 },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"4 negative age counts as 0", func(c *ruleCase) { c.l.Family.HeadMinted = ago(-2 * time.Second) },
			outcome{Verdict: verdictRepeat, Hand: handPresented}},
		{"4 negative age counts as 0 without min_rotation", func(c *ruleCase) { c.l.Family.HeadMinted, c.p.MinRotation = ago(-2*time.Second), 0 },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},
		{"4 reusable never rotates", func(c *ruleCase) { c.p.Reusable = true }, outcome{Verdict: verdictAdvance, Hand: handPresented}},
		{"4 reusable, seen within the minute", func(c *ruleCase) { c.p.Reusable, c.l.Family.LastSeen = true, ago(time.Second) },
			outcome{Verdict: verdictRepeat, Hand: handPresented}},

		{"5 young pending becomes head", func(c *ruleCase) { c.pending(ago(time.Second)); c.present(matchPending, 0) },
			outcome{Verdict: verdictAdvance, Hand: handPresented}},
		{"5 old pending becomes head and rotates", func(c *ruleCase) { c.pending(ago(time.Minute)); c.present(matchPending, 0) },
			outcome{Verdict: verdictAdvance, Hand: handMinted}},

		{"6 direct parent inside the grace", func(c *ruleCase) { c.present(matchMinted, 4); c.confirm(5, ago(59*time.Second)) }, late},
		{"6 direct parent at the end of the grace", func(c *ruleCase) { c.present(matchMinted, 4); c.confirm(5, ago(time.Minute)) }, theft},
		{"6 direct parent outside the grace", func(c *ruleCase) { c.present(matchMinted, 4) }, theft},
		{"6 negative age is inside the grace", func(c *ruleCase) { c.present(matchMinted, 4); c.confirm(5, ago(-time.Second)) }, late},
		{"6 without a grace", func(c *ruleCase) { c.p.Grace = 0; c.present(matchMinted, 4); c.confirm(5, ruleNow) }, theft},
		{"6 negative age without a grace", func(c *ruleCase) { c.p.Grace = 0; c.present(matchMinted, 4); c.confirm(5, ago(-time.Second)) }, theft},
		{"6 older ancestor inside its grace", func(c *ruleCase) {
			c.present(matchMinted, 3)
			c.confirm(4, ago(2*time.Second))
			c.confirm(5, ago(time.Second))
		}, refusal(fault.ReasonSuperseded)},
		{"6 older ancestor outside its grace", func(c *ruleCase) {
			c.present(matchMinted, 3)
			c.confirm(5, ago(time.Second))
		}, theft},
		{"6 successor not remembered", func(c *ruleCase) { c.present(matchMinted, 0) }, theft},
		{"6 sealed head dropped", func(c *ruleCase) {
			c.present(matchMinted, 4)
			c.confirm(5, ago(time.Second))
			c.l.Family.SealedHead = nil
		}, refusal(fault.ReasonSuperseded)},
		{"6 bound with the right proof is never theft", func(c *ruleCase) {
			c.l.Family.Binding, c.f.Proof = "k", "k"
			c.present(matchMinted, 4)
		}, late},
		{"6 bound, older ancestor", func(c *ruleCase) {
			c.l.Family.Binding, c.f.Proof = "k", "k"
			c.present(matchMinted, 1)
		}, refusal(fault.ReasonSuperseded)},

		{"7 above pending", func(c *ruleCase) { c.pending(ago(1)); c.present(matchMinted, 7) },
			outcome{Verdict: verdictRefuse, Reason: fault.ReasonRefreshUnknown, Ahead: true}},
		{"7 equal to pending with another hash", func(c *ruleCase) { c.pending(ago(1)); c.present(matchMinted, 6) },
			outcome{Verdict: verdictRefuse, Reason: fault.ReasonRefreshUnknown, Ahead: true}},
		{"7 equal to head with another hash", func(c *ruleCase) { c.present(matchMinted, 5) },
			outcome{Verdict: verdictRefuse, Reason: fault.ReasonRefreshUnknown, Ahead: true}},
		{"7 restored adopts", func(c *ruleCase) { c.p.Restored = true; c.present(matchMinted, 7) },
			outcome{Verdict: verdictAdvance, Hand: handPresented, Adopted: true}},
		{"7 restored does not excuse an ancestor", func(c *ruleCase) { c.p.Restored = true; c.present(matchMinted, 3) }, theft},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCase()
			tt.set(&c)
			got := decide(&c.l, &c.f, &c.p)
			if (got.Verdict == verdictAdvance) != (got.Next.ID == "f") {
				t.Errorf("a next state goes with an advance and nothing else: %+v", got.Next)
			}
			got.Next = Family{}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRuleNext checks the state that each kind of advance leaves.
func TestRuleNext(t *testing.T) {
	tests := []struct {
		name string
		set  func(c *ruleCase)
		want func(f *Family)
	}{
		{"4 mint", func(c *ruleCase) {}, func(f *Family) {
			f.PendingMinted, f.SealedHead = ruleNow, nil // the grace of head's parent is long over
		}},
		{"4 mint inside the grace keeps the sealed head", func(c *ruleCase) {
			c.p.Grace = 11 * time.Minute
		}, func(f *Family) { f.PendingMinted = ruleNow }},
		{"5 confirm and mint", func(c *ruleCase) { c.pending(ago(time.Hour)); c.present(matchPending, 0) }, func(f *Family) {
			f.Generation, f.Head, f.HeadMinted, f.SealedHead = 6, hashOf(6), ago(time.Hour), []byte("pending")
			f.Confirmations = append(f.Confirmations, Confirmation{6, ruleNow})
			f.Pending, f.SealedPending, f.PendingMinted = nil, nil, ruleNow
		}},
		{"5 confirm, young", func(c *ruleCase) { c.pending(ago(time.Second)); c.present(matchPending, 0) }, func(f *Family) {
			f.Generation, f.Head, f.HeadMinted, f.SealedHead = 6, hashOf(6), ago(time.Second), []byte("pending")
			f.Confirmations = append(f.Confirmations, Confirmation{6, ruleNow})
			f.Pending, f.SealedPending, f.PendingMinted = nil, nil, time.Time{}
		}},
		{"5 confirm without a grace keeps the seal for a bound holder", func(c *ruleCase) {
			c.p.Grace = 0
			c.pending(ago(time.Second))
			c.present(matchPending, 0)
		}, func(f *Family) {
			f.Generation, f.Head, f.HeadMinted, f.SealedHead = 6, hashOf(6), ago(time.Second), []byte("pending")
			f.Confirmations = append(f.Confirmations, Confirmation{6, ruleNow})
			f.Pending, f.SealedPending, f.PendingMinted = nil, nil, time.Time{}
		}},
		{"idle limit never beyond the absolute one", func(c *ruleCase) { c.p.Idle = 1000 * time.Hour }, func(f *Family) {
			f.PendingMinted, f.SealedHead, f.IdleExpiry = ruleNow, nil, ruleNow.Add(240*time.Hour)
		}},
		{"7 adopt", func(c *ruleCase) {
			c.pending(ago(1))
			c.p.Restored, c.f.Hash = true, hashOf(99)
			c.present(matchMinted, 9)
		}, func(f *Family) {
			f.Generation, f.Head, f.HeadMinted, f.SealedHead = 9, hashOf(99), ruleNow, nil
			f.Confirmations = append(f.Confirmations, Confirmation{9, ruleNow})
			f.Pending, f.SealedPending, f.PendingMinted = nil, nil, time.Time{}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCase()
			tt.set(&c)
			want := c.l.Family
			want.LastSeen, want.IdleExpiry = ruleNow, ruleNow.Add(24*time.Hour)
			want.Confirmations = append([]Confirmation(nil), want.Confirmations...)
			tt.want(&want)
			before := append([]Confirmation(nil), c.l.Family.Confirmations...)
			got := decide(&c.l, &c.f, &c.p)
			if diff := cmp.Diff(want, got.Next); diff != "" {
				t.Errorf("next state (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, c.l.Family.Confirmations); diff != "" {
				t.Errorf("the loaded value was changed in place:\n%s", diff)
			}
		})
	}
}

func TestRuleConfirmedByChild(t *testing.T) { // rule 5b
	c := newCase()
	if _, ok := ConfirmedByChild(c.l.Family, ruleNow); ok {
		t.Fatal("confirmed without a pending token")
	}
	c.pending(ago(time.Second))
	got, ok := ConfirmedByChild(c.l.Family, ruleNow)
	if !ok || got.Generation != 6 || got.Head != hashOf(6) || got.Pending != nil || got.SealedPending != nil || got.SealedHead != nil {
		t.Errorf("after a child's use: %+v", got)
	}
	if !got.confirmedWithin(6, ruleNow, time.Second) {
		t.Error("the confirmation was not remembered")
	}
}

func TestRuleRemembersEightConfirmations(t *testing.T) {
	var list []Confirmation
	for g := uint32(1); g <= 20; g++ {
		list = remember(list, Confirmation{g, ruleNow})
	}
	if len(list) != MaxConfirmations || list[0].Generation != 13 || list[7].Generation != 20 {
		t.Errorf("remembered %v", list)
	}
}
