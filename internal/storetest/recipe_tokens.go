package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

func verifyToken(s *scene) {
	email := s.address()
	a := s.signedUp(email)
	k := s.oneTime(recipe.TokenVerify, a.User.ID, email)
	m := s.mark()
	s.ok(s.Recipe.Tokens.Save(s.ctx, k, m.Record))
	s.wrote(m, true)
	other, reset := s.savedOneTime(s.oneTime(recipe.TokenVerify, a.User.ID, email)), s.savedOneTime(s.oneTime(recipe.TokenReset, a.User.ID, email))
	attempt := s.saved(s.attempt(email))
	s.proved(a.User.ID, email, false)
	late := spendOf(k)
	late.At = k.ExpiresAt
	_, err := s.Recipe.Tokens.Verify(s.ctx, late, audit.Record{})
	s.refused(err, fault.Gone, fault.ReasonGone)
	for _, wrong := range []func(*recipe.Spend){
		func(sp *recipe.Spend) { sp.Kind = recipe.TokenReset }, func(sp *recipe.Spend) { sp.Org = "other" }, func(sp *recipe.Spend) { sp.Hash = nil },
	} {
		sp := spendOf(k)
		wrong(&sp)
		_, err := s.Recipe.Tokens.Verify(s.ctx, sp, audit.Record{})
		s.refused(err, fault.Gone, fault.ReasonGone)
	}
	m = s.mark()
	got, err := s.Recipe.Tokens.Verify(s.ctx, spendOf(k), m.Record)
	s.ok(err)
	s.wrote(m, true)
	s.same("token", got, k)
	s.proved(a.User.ID, email, true)
	s.oneTimeGone(k)
	s.oneTimeGone(other)
	s.attemptGone(attempt.TokenHash, noon)
	_, err = s.Recipe.Tokens.Peek(s.ctx, spendOf(reset))
	s.ok(err)
	i := s.primary(a)
	if !i.VerifiedAt.Equal(noon.Add(time.Minute)) || i.VerifiedHow != "mail" || s.known(email).Claimed {
		s.Fatalf("identifier: %+v", i)
	}
}

func oneVerifyWins(s *scene) {
	email := s.address()
	a := s.signedUp(email)
	k := s.savedOneTime(s.oneTime(recipe.TokenVerify, a.User.ID, email))
	s.onlyOne(fault.Gone, func(int) error {
		_, err := s.Recipe.Tokens.Verify(s.ctx, spendOf(k), audit.Record{})
		return err
	})
}

// verifyNobody: mailboxes of people who are no users of ours are proved too.
func verifyNobody(s *scene) {
	k := s.savedOneTime(s.oneTime(recipe.TokenVerify, "somebody", "a@example.com"))
	_, err := s.Recipe.Tokens.Verify(s.ctx, spendOf(k), audit.Record{})
	s.ok(err)
	s.proved("somebody", "a@example.com", true)
	s.proved("somebody", "b@example.com", false)
	s.proved("another", "a@example.com", false)
	s.ok(s.Recipe.Tokens.Unprove(s.ctx, s.tenant.ID, "somebody", "a@example.com", audit.Record{}))
	s.proved("somebody", "a@example.com", false)
}

func unprove(s *scene) {
	u := s.person(s.address())
	email := u.PrimaryEmail().Value
	s.proved(u.ID, email, true)
	s.ok(s.Recipe.Tokens.Unprove(s.ctx, s.tenant.ID, u.ID, email, audit.Record{}))
	s.proved(u.ID, email, false)
	if !s.known(email).Claimed {
		s.Fatal("the address is not claimed")
	}
}

func recipeReset(s *scene) {
	email := s.address()
	a, f, tokens := s.planted(email)
	k := s.savedOneTime(s.oneTime(recipe.TokenReset, a.User.ID, email))
	m := s.mark()
	got, err := s.Recipe.Tokens.Reset(s.ctx, spendOf(k), nil, m.Record)
	s.ok(err)
	s.wrote(m, true)
	s.same("token", got, k)
	s.ended("password_reset", f)
	for _, k := range append(tokens, k) {
		s.oneTimeGone(k)
	}
	if s.known(email).Password.PHC != "$account$"+a.User.ID {
		s.Fatal("the password changed")
	}
	k = s.savedOneTime(s.oneTime(recipe.TokenReset, a.User.ID, email))
	p := password("$fresh$")
	c := s.change(a)
	c.Password = &p
	_, err = s.Recipe.Tokens.Reset(s.ctx, spendOf(k), &c, audit.Record{})
	if s.ok(err); s.known(email).Password.PHC != "$fresh$" {
		s.Fatal("the password did not change")
	}
}

func oneRecipeReset(s *scene) {
	email := s.address()
	a := s.signedUp(email)
	k := s.savedOneTime(s.oneTime(recipe.TokenReset, a.User.ID, email))
	s.onlyOne(fault.Gone, func(int) error {
		_, err := s.Recipe.Tokens.Reset(s.ctx, spendOf(k), nil, audit.Record{})
		return err
	})
}

func recipeTokensElsewhere(s *scene) {
	k := s.savedOneTime(s.oneTime(recipe.TokenVerify, "somebody", "a@example.com"))
	sp := spendOf(k)
	sp.TenantID = s.elsewhere().tenant.ID
	_, err := s.Recipe.Tokens.Verify(s.ctx, sp, audit.Record{})
	s.refused(err, fault.Gone, fault.ReasonGone)
	s.ok(s.Recipe.Tokens.Drop(s.ctx, recipe.Token{TenantID: s.tenant.ID, Kind: recipe.TokenVerify, Org: "other", Subject: "somebody", Email: k.Email}, audit.Record{}))
	_, err = s.Recipe.Tokens.Peek(s.ctx, spendOf(k))
	s.ok(err)
	s.ok(s.Recipe.Tokens.Drop(s.ctx, k, audit.Record{}))
	s.oneTimeGone(k)
}

func recipeTokenPurge(s *scene) {
	live := s.oneTime(recipe.TokenVerify, "somebody", "a@example.com")
	live.ExpiresAt = noon.Add(2 * time.Hour)
	s.savedOneTime(live)
	for range 3 {
		s.savedOneTime(s.oneTime(recipe.TokenReset, "somebody", "a@example.com"))
	}
	for _, want := range []int{2, 1, 0} {
		n, err := s.Recipe.Tokens.Purge(s.ctx, s.tenant.ID, noon.Add(90*time.Minute), 2)
		if s.ok(err); n != want {
			s.Fatalf("purged %d, want %d", n, want)
		}
	}
	_, err := s.Recipe.Tokens.Peek(s.ctx, spendOf(live))
	s.ok(err)
}
