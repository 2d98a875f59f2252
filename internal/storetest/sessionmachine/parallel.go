package sessionmachine

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Parallel lets callers refresh one family at once, round after round, with one reply in five lost. No caller is refused, all answers of
// a round are one successor, and at the end the first token outside its grace ends the family for all who replay it.
func Parallel(t *testing.T, w World, callers, rounds int) {
	ctx, now := context.Background(), Start
	nodes := servicesOf(&w)
	s := nodes[0]
	u, err := w.NewUser(ctx, now)
	check(t, err)
	opened, err := s.Open(ctx, Call(&w, now), session.OpenRequest{Tenant: w.Tenant, Client: w.Client, User: u})
	check(t, err)
	first, jar := opened.Refresh, opened.Refresh
	loss := rand.New(rand.NewPCG(1, 2)) // the same losses every run
	for round := range rounds {
		now = now.Add(61 * time.Second)
		answers := together(callers, func(i int) (session.Tokens, error) {
			return nodes[i%len(nodes)].Refresh(ctx, Call(&w, now), session.RefreshRequest{Tenant: w.Tenant, Client: w.Client, Refresh: jar})
		})
		var arrived *secret.Text
		for i := range answers {
			if answers[i].err != nil {
				t.Fatalf("round %d: an honest caller was refused: %v", round, answers[i].err)
			}
			if !answers[i].Refresh.Equal(answers[0].Refresh) {
				t.Fatalf("round %d: two live successors", round)
			}
			if arrived == nil && loss.Float64() >= 0.2 {
				arrived = &answers[i].Refresh
			}
		}
		l, err := w.Store.Load(ctx, session.Ref{TenantID: w.Tenant.ID, ID: opened.Family.ID})
		check(t, err)
		if hash := secret.RefreshHash(answers[0].Refresh.Reveal()); l.Family.Pending == nil || *l.Family.Pending != hash {
			t.Fatalf("round %d: what was handed out is not what is stored", round)
		}
		if arrived != nil && loss.Float64() >= 0.2 { // or the whole browser lost its connection
			jar = *arrived
		}
	}
	replay(t, &w, nodes, first, now.Add(10*time.Minute), callers)
	_, err = s.Refresh(ctx, Call(&w, now), session.RefreshRequest{Tenant: w.Tenant, Client: w.Client, Refresh: jar})
	if fault.ReasonOf(err) != fault.ReasonSessionRevoked {
		t.Fatalf("after the theft was noticed: %v", err)
	}
}

// replay presents one stolen ancestor from many places: everybody is refused, as the theft itself or because it was noticed already.
func replay(t *testing.T, w *World, nodes []*session.Service, old secret.Text, at time.Time, callers int) {
	t.Helper()
	noticed := 0
	for _, a := range together(callers, func(i int) (session.Tokens, error) {
		return nodes[i%len(nodes)].Refresh(context.Background(), Call(w, at), session.RefreshRequest{Tenant: w.Tenant, Client: w.Client, Refresh: old})
	}) {
		switch fault.ReasonOf(a.err) {
		case fault.ReasonRefreshReused:
			noticed++
		case fault.ReasonSessionRevoked:
		default:
			t.Fatalf("a replay outside the grace: %v", a.err)
		}
	}
	if noticed == 0 {
		t.Fatal("nobody noticed the theft")
	}
}

// Race lets refreshes run against each act that must stop them. After the act has committed nothing is handed out: the successor that a
// winner got before is dead, and so is the token all presented.
func Race(t *testing.T, w World, callers int) {
	acts := map[string]struct {
		reason fault.Reason
		do     func(s *session.Service, f *session.Family, at time.Time) error
	}{
		"revoke": {fault.ReasonSessionRevoked, func(s *session.Service, f *session.Family, at time.Time) error {
			_, err := s.Revoke(context.Background(), Call(&w, at), session.Match{ID: f.ID}, "test")
			return err
		}},
		"disable": {fault.ReasonUserDisabled, func(_ *session.Service, f *session.Family, at time.Time) error {
			return w.Users.SetStatus(context.Background(), w.Tenant.ID, f.UserID, user.Disabled, at, audit.Record{})
		}},
		"epoch": {fault.ReasonSessionRevoked, func(_ *session.Service, f *session.Family, at time.Time) error {
			_, err := w.Users.RaiseEpoch(context.Background(), w.Tenant.ID, f.UserID, "test", at, audit.Record{})
			return err
		}},
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			ctx, now := context.Background(), Start
			s := NewService(w.Store, NewRing())
			u, err := w.NewUser(ctx, now)
			check(t, err)
			opened, err := s.Open(ctx, Call(&w, now), session.OpenRequest{Tenant: w.Tenant, Client: w.Client, User: u})
			check(t, err)
			now = now.Add(2 * time.Minute)
			req := session.RefreshRequest{Tenant: w.Tenant, Client: w.Client, Refresh: opened.Refresh}
			var once sync.Once
			var actErr error
			answers := together(callers, func(int) (session.Tokens, error) {
				tokens, err := s.Refresh(ctx, Call(&w, now), req)
				once.Do(func() { actErr = act.do(s, &opened.Family, now) }) // somewhere in the middle of the others
				return tokens, err
			})
			check(t, actErr)
			for _, a := range answers {
				if a.err != nil && fault.ReasonOf(a.err) != act.reason {
					t.Fatalf("refused with %v", a.err)
				}
				if a.err != nil {
					continue
				}
				_, err := s.Refresh(ctx, Call(&w, now), session.RefreshRequest{Tenant: w.Tenant, Client: w.Client, Refresh: a.Refresh})
				if fault.ReasonOf(err) != act.reason {
					t.Fatalf("a successor outlived the end: %v", err)
				}
			}
			if _, err := s.Refresh(ctx, Call(&w, now), req); fault.ReasonOf(err) != act.reason {
				t.Fatalf("after the end: %v", err)
			}
		})
	}
}

// servicesOf gives an engine for each node, all with one ring.
func servicesOf(w *World) []*session.Service {
	ring := NewRing()
	nodes := []*session.Service{NewService(w.Store, ring)}
	for _, store := range w.Nodes {
		nodes = append(nodes, NewService(store, ring))
	}
	return nodes
}

type answer struct {
	session.Tokens
	err error
}

// together runs n callers released at one moment and gives their answers.
func together(n int, do func(i int) (session.Tokens, error)) []answer {
	out := make([]answer, n)
	race.Together(n, func(i int) { out[i].Tokens, out[i].err = do(i) })
	return out
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
