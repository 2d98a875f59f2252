package login_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// eachStore runs f on every database: claimed addresses are made by another room's store.
func eachStore(t *testing.T, f func(t *testing.T, s *sqlstore.Store, b backend)) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { f(t, s, sqlBackend("sql", s)) })
}

// squat plants an account at an address through the face that asks for no proof, with an open session and every one-time token there is.
func (w *world) squat(t *testing.T, s *sqlstore.Store, email, pw string) (user.User, session.Family) {
	t.Helper()
	ctx := context.Background()
	hash, err := w.hash(pw)
	must(t, err)
	n := recipe.Newcomer{
		TenantID: w.t.ID, UserID: secret.NewID(w.now), Org: recipe.Public, ClientID: "shut", Email: email, Typed: email, Password: hash, At: w.now,
	}
	must(t, s.Accounts().SignUp(ctx, n, noRecord))
	u, err := s.Users().Get(ctx, w.t.ID, n.UserID, "shut")
	must(t, err)
	f := session.Family{
		TenantID: w.t.ID, ID: secret.NewID(w.now), ClientID: "shut", OpenedBy: "supertokens", Subject: u.ID, UserID: u.ID, Epoch: u.Epoch,
		Head: secret.RefreshHash(secret.Random(16)), CreatedAt: w.now, LastSeen: w.now, IdleExpiry: w.now.AddDate(0, 1, 0),
		AbsoluteExpiry: w.now.AddDate(0, 1, 0), AuthTime: w.now, Version: 1,
	}
	must(t, s.Sessions().Open(ctx, f, nil, noRecord))
	for _, kind := range []recipe.TokenKind{recipe.TokenReset, recipe.TokenVerify} {
		must(t, s.RecipeTokens().Save(ctx, w.recipeToken(u.ID, email, kind), noRecord))
	}
	return u, f
}

func (w *world) hash(pw string) (credential.Password, error) {
	hasher := credential.NewPasswords(w.ring, credential.Config{MemoryKiB: 64, Passes: 1, Queue: 4096, Wait: time.Minute})
	return hasher.Hash(context.Background(), secret.NewText(pw), w.now)
}

func (w *world) recipeToken(subject, email string, kind recipe.TokenKind) recipe.Token {
	return recipe.Token{
		TenantID: w.t.ID, Hash: secret.Hash(string(kind) + subject), Kind: kind, Org: recipe.Public, Subject: subject, Email: email,
		ExpiresAt: w.now.AddDate(0, 0, 30),
	}
}

// plantedGone checks that no credential of the planted account u is of any use after the address was proved.
func (w *world) plantedGone(t *testing.T, s *sqlstore.Store, u user.User, f session.Family) {
	t.Helper()
	ctx := context.Background()
	l, err := s.Sessions().Load(ctx, session.Ref{TenantID: w.t.ID, ID: f.ID})
	if err == nil && !l.Family.Revoked() {
		t.Error("the planted session lives")
	}
	for _, kind := range []recipe.TokenKind{recipe.TokenReset, recipe.TokenVerify} {
		sp := recipe.Spend{TenantID: w.t.ID, Org: recipe.Public, Kind: kind, Hash: secret.Hash(string(kind) + u.ID), At: w.now}
		_, err := s.RecipeTokens().Peek(ctx, sp)
		wantReason(t, "a planted token of kind "+string(kind), err, fault.ReasonGone)
	}
	_, err = w.check(victim, malloryPass)
	wantReason(t, "mallory's password at the other face", err, fault.ReasonInvalidCredentials)
	if _, err = w.check(victim, victimPass); err != nil {
		t.Errorf("the victim's password at the other face: %v", err)
	}
	feed, err := s.Events().Revocations(ctx, w.t.ID, 0, 1000)
	must(t, err)
	found := false
	for _, r := range feed {
		found = found || r.Target == f.ID
	}
	if !found {
		t.Error("the feed does not tell of the planted session's end")
	}
}

func (w *world) check(email, pw string) (user.User, error) {
	return w.svc.Check(context.Background(), w.call("backend"), login.CheckRequest{Tenant: w.t, Email: email, Password: secret.NewText(pw)})
}

// TestPreHijackByClaim: mallory signs up with the victim's address at a face where accounts work before their mailbox is proved, and does
// whatever else a stranger can; the victim comes by every native road.
func TestPreHijackByClaim(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlstore.Store, b backend) {
		for road := range claim {
			for _, attack := range []string{"registers", "logs in to sign up", "asks for a reset", "moves to it"} {
				t.Run("mallory claims and "+attack+", the victim comes "+road, func(t *testing.T) {
					w := newWorld(t, b, login.Config{})
					w.t.Policy.Limits = tenant.Limits{MailAddress: "off", PasswordAccount: "off"}
					w.memberWith(t, "mallory@example.com", malloryPass)
					u, f := w.squat(t, s, victim, malloryPass)
					plant[attack](t, w)
					claim[road](t, w, func() { plant[attack](t, w) })
					w.plantedGone(t, s, u, f)
					w.nothingLeft(t, w.tokensTo(victim))
				})
			}
		}
	})
}

// TestClaimByMove: mallory's own account, proved and in use, moves to the victim's address at the other face. The victim's proof takes the
// address away; the account is left without any, and goes.
func TestClaimByMove(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlstore.Store, b backend) {
		for road := range claim {
			t.Run(road, func(t *testing.T) {
				w := newWorld(t, b, login.Config{})
				w.t.Policy.Limits = tenant.Limits{MailAddress: "off", PasswordAccount: "off"}
				id := w.memberWith(t, "mallory@example.com", malloryPass)
				ctx := context.Background()
				must(t, s.Accounts().Change(ctx, recipe.Change{TenantID: w.t.ID, UserID: id, Email: victim, Typed: victim, At: w.now}, noRecord))
				_, err := w.login(w.call("mallory"), w.shut, victim, malloryPass)
				wantReason(t, "a login at the claimed address", err, fault.ReasonEmailUnverified)
				claim[road](t, w, func() {})
				_, err = w.login(w.call("mallory"), w.shut, victim, malloryPass)
				wantReason(t, "mallory after the proof", err, fault.ReasonInvalidCredentials)
				if _, err = w.login(w.call("victim"), w.auto, victim, victimPass); err != nil {
					t.Errorf("the victim: %v", err)
				}
			})
		}
	})
}

// TestEmailChangeTakesAClaim: a proved account moves to an address that somebody else claims.
func TestEmailChangeTakesAClaim(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlstore.Store, b backend) {
		w := newWorld(t, b, login.Config{})
		w.t.Policy.Limits = tenant.Limits{MailAddress: "off", PasswordAccount: "off"}
		id := w.memberWith(t, "before@example.com", victimPass)
		u, f := w.squat(t, s, victim, malloryPass)
		to := victim
		_, _, err := w.svc.Update(context.Background(), w.call("victim"), w.live(id, "before@example.com"), login.MeChange{Email: &to})
		must(t, err)
		_, err = w.verify(w.call("victim"), w.token(t, victim), "", "")
		must(t, err)
		w.plantedGone(t, s, u, f)
		if w.memberID(t, victim) != id {
			t.Error("the address went elsewhere")
		}
	})
}

// TestClaimedLogin: who only claims an address is told that it is not proved, and only by the right password.
func TestClaimedLogin(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlstore.Store, b backend) {
		w := newWorld(t, b, login.Config{})
		u, _ := w.squat(t, s, "ada@example.com", goodPassword)
		_, err := w.login(w.call("b"), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "the right password", err, fault.ReasonEmailUnverified)
		_, err = w.login(w.call("b"), w.auto, "ada@example.com", goodPassword)
		wantReason(t, "the right password, auto_register", err, fault.ReasonEmailUnverified)
		_, err = w.login(w.call("b"), w.shut, "ada@example.com", "a wrong password")
		wantReason(t, "a wrong password", err, fault.ReasonInvalidCredentials)
		got, err := w.check("ada@example.com", goodPassword)
		if err != nil || got.ID != u.ID {
			t.Errorf("the other face: %v, %v", got.ID, err)
		}
		sp := recipe.Spend{TenantID: w.t.ID, Org: recipe.Public, Kind: recipe.TokenVerify, Hash: secret.Hash(string(recipe.TokenVerify) + u.ID), At: w.now}
		_, err = s.RecipeTokens().Verify(context.Background(), sp, noRecord)
		must(t, err)
		out, err := w.login(w.call("b"), w.shut, "ada@example.com", goodPassword)
		if err != nil || out.Tokens.Family.UserID != u.ID {
			t.Errorf("after the proof: %v", err)
		}
	})
}

// TestClaimAgainstProof: a sign-up there races the proof of a native one; whoever comes first, the prover has the address.
func TestClaimAgainstProof(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlstore.Store, b backend) {
		for range 20 {
			w := newWorld(t, b, login.Config{})
			must(t, w.register(w.call("victim"), victim, victimPass))
			token := w.token(t, victim)
			hash, err := w.hash(malloryPass)
			must(t, err)
			done := make(chan error, 8)
			for range cap(done) {
				go func() {
					n := recipe.Newcomer{TenantID: w.t.ID, UserID: secret.NewID(w.now), Org: recipe.Public, Email: victim, Typed: victim, Password: hash, At: w.now}
					n.Password.ID = secret.NewID(w.now)
					done <- s.Accounts().SignUp(context.Background(), n, noRecord)
				}()
			}
			p, err := w.verify(w.call("victim"), token, "", "")
			must(t, err)
			for range cap(done) {
				if err := <-done; err != nil && fault.From(err).Kind != fault.Conflict {
					t.Error(err)
				}
			}
			if w.memberID(t, victim) != p.UserID {
				t.Fatal("the address is not the prover's")
			}
		}
	})
}

// TestCheckEqualWork holds the check for backends to one behaviour for all addresses.
func TestCheckEqualWork(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		classes := w.classes(t)
		_, err := w.check(classes["unknown"], "a wrong password")
		want := w.watch(err)
		if len(want.Verbs) < 3 || want.Reason != fault.ReasonInvalidCredentials {
			t.Fatalf("the journal saw %v, %v", want.Verbs, want.Reason)
		}
		for class, email := range classes {
			_, err := w.check(email, "a wrong password")
			if got := w.watch(err); got.Reason != want.Reason || !equalVerbs(got.Verbs, want.Verbs) {
				t.Errorf("%s: %+v, unknown: %+v", class, got, want)
			}
		}
		w.now = w.now.Add(48 * time.Hour)
		_, err = w.check(classes["disabled"], goodPassword)
		wantReason(t, "a disabled account", err, fault.ReasonInvalidCredentials)
		if _, err = w.check(classes["member"], goodPassword); err != nil {
			t.Errorf("a member: %v", err)
		}
	})
}

// TestCheckLimited: only the account's own limit counts, and a network's never.
func TestCheckLimited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.t.Policy.Limits = tenant.Limits{PasswordAccount: "3/24h", PasswordNetwork: "1/1m"}
		w.member(t, "ada@example.com")
		call := w.call("backend")
		guess := func(email, pw string) error {
			_, err := w.svc.Check(context.Background(), call, login.CheckRequest{Tenant: w.t, Email: email, Password: secret.NewText(pw)})
			return err
		}
		for range 5 {
			must(t, guess("ada@example.com", goodPassword)) // good ones cost nothing
		}
		for range 3 {
			wantReason(t, "a guess", guess("ada@example.com", "wrong wrong"), fault.ReasonInvalidCredentials)
		}
		wantReason(t, "the fourth guess", guess("ada@example.com", goodPassword), fault.ReasonLimited)
		wantReason(t, "another account from the same backend", guess("bob@example.com", "wrong wrong"), fault.ReasonInvalidCredentials)
	})
}

func equalVerbs(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
