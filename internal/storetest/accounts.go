package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Accounts runs the suite of recipe.Accounts, recipe.People and recipe.Tokens.
func Accounts(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"sign-up", signUp}, {"one sign-up wins", oneSignUpWins}, {"sign-up against proof", signUpAgainstProof}, {"proof takes a claim", proofTakesClaim},
		{"a disabled claim stays", disabledClaim}, {"reset empties a claim", resetEmptiesClaim},
		{"change email", accountEmail}, {"change to a proved mailbox", accountProvedEmail}, {"change password", accountPassword},
		{"remove", removeAccount}, {"remove nobody", removeNobody}, {"primary", primaryAccount},
		{"verify", verifyToken}, {"one verify wins", oneVerifyWins}, {"verify of nobody", verifyNobody}, {"unprove", unprove},
		{"recipe reset", recipeReset}, {"one recipe reset wins", oneRecipeReset}, {"tokens elsewhere", recipeTokensElsewhere}, {"token purge", recipeTokenPurge},
		{"pages under inserts", accountPages}, {"filters", accountFilters}, {"accounts elsewhere", accountsElsewhere},
	})
}

// newcomer is an account that nobody made yet.
func (s *scene) newcomer(email string) recipe.Newcomer {
	id := secret.NewID(noon)
	return recipe.Newcomer{
		TenantID: s.tenant.ID, UserID: id, Org: recipe.Public, ClientID: "app", Roles: []string{"member"}, Email: email, Typed: email,
		Password: password("$account$" + id), At: noon,
	}
}

func (s *scene) signedUp(email string) recipe.Account {
	s.Helper()
	n := s.newcomer(email)
	s.ok(s.Recipe.Accounts.SignUp(s.ctx, n, audit.Record{}))
	return s.account(n.UserID)
}

func (s *scene) account(id string) recipe.Account {
	s.Helper()
	a, err := s.Recipe.People.Get(s.ctx, s.tenant.ID, id)
	s.ok(err)
	return a
}

func (s *scene) primary(a recipe.Account) user.Identifier {
	s.Helper()
	now := s.account(a.User.ID)
	return now.User.PrimaryEmail()
}

func (s *scene) nobody(id string) {
	s.Helper()
	_, err := s.Recipe.People.Get(s.ctx, s.tenant.ID, id)
	s.refused(err, fault.NotFound, "")
}

func (s *scene) byEmail(email string) string {
	s.Helper()
	a, err := s.Recipe.People.ByEmail(s.ctx, s.tenant.ID, email)
	s.ok(err)
	return a.User.ID
}

// token is a one-time token that nobody saved yet.
func (s *scene) oneTime(kind recipe.TokenKind, subject, email string) recipe.Token {
	return recipe.Token{
		TenantID: s.tenant.ID, Hash: secret.Bytes(32), Kind: kind, Org: recipe.Public, Subject: subject, Email: email, ExpiresAt: noon.Add(time.Hour),
	}
}

func (s *scene) savedOneTime(k recipe.Token) recipe.Token {
	s.Helper()
	s.ok(s.Recipe.Tokens.Save(s.ctx, k, audit.Record{}))
	return k
}

func spendOf(k recipe.Token) recipe.Spend {
	return recipe.Spend{TenantID: k.TenantID, Org: k.Org, Kind: k.Kind, Hash: k.Hash, At: noon.Add(time.Minute)}
}

func (s *scene) oneTimeGone(k recipe.Token) {
	s.Helper()
	_, err := s.Recipe.Tokens.Peek(s.ctx, spendOf(k))
	s.refused(err, fault.Gone, fault.ReasonGone)
}

func (s *scene) proved(subject, email string, want bool) {
	s.Helper()
	got, err := s.Recipe.Tokens.Proved(s.ctx, s.tenant.ID, subject, email)
	if s.ok(err); got != want {
		s.Fatalf("proved: %v, want %v", got, want)
	}
}

func signUp(s *scene) {
	email := s.address()
	n := s.newcomer(email)
	n.Typed = "U\u0308ser@Example.COM"
	m := s.mark()
	s.ok(s.Recipe.Accounts.SignUp(s.ctx, n, m.Record))
	s.wrote(m, true)
	a := s.account(n.UserID)
	s.same("account", a, recipe.Account{
		User: user.User{
			TenantID: s.tenant.ID, ID: n.UserID, Status: user.Active, Epoch: 1, CreatedAt: noon, UpdatedAt: noon, Version: 1,
			Identifiers: []user.Identifier{{Kind: user.Email, Value: email, Typed: n.Typed, VerifiedHow: user.Claimed, Primary: true}},
		},
		HasPassword: true, Orgs: []string{recipe.Public},
	})
	k := s.known(email)
	if k.User == nil || !k.Claimed || k.Closed || k.Password == nil || k.Password.PHC != n.Password.PHC || k.User.Registration == nil {
		s.Fatalf("known: %+v", k)
	}
	if s.byEmail(email) != n.UserID {
		s.Fatal("found by another address")
	}
	again := s.newcomer(email)
	m = s.mark()
	s.refused(s.Recipe.Accounts.SignUp(s.ctx, again, m.Record), fault.Conflict, "")
	s.wrote(m, false)
	s.nobody(again.UserID)
	proved := s.person(s.address())
	s.refused(s.Recipe.Accounts.SignUp(s.ctx, s.newcomer(proved.PrimaryEmail().Value), audit.Record{}), fault.Conflict, "")
	lost := s.newcomer(s.address())
	lost.Org = "absent"
	s.refused(s.Recipe.Accounts.SignUp(s.ctx, lost, audit.Record{}), fault.NotFound, "")
}

func oneSignUpWins(s *scene) {
	email := s.address()
	s.onlyOne(fault.Conflict, func(int) error { return s.Recipe.Accounts.SignUp(s.ctx, s.newcomer(email), audit.Record{}) })
}

// signUpAgainstProof: whoever comes first, the address is the prover's.
func signUpAgainstProof(s *scene) {
	email := s.address()
	p := proof(s.saved(s.attempt(email)))
	s.together(func(i int) (bool, error) {
		if i == callers/2 {
			return true, s.Logins.Prove(s.ctx, p, audit.Record{})
		}
		err := s.Recipe.Accounts.SignUp(s.ctx, s.newcomer(email), audit.Record{})
		if err != nil && fault.From(err).Kind == fault.Conflict {
			return false, nil
		}
		return err == nil, err
	})
	if k := s.known(email); k.User == nil || k.User.ID != p.UserID || k.Claimed {
		s.Fatalf("known: %+v", k)
	}
}

// planted is a claimed account with everything a stranger could leave in it.
func (s *scene) planted(email string) (recipe.Account, session.Family, []recipe.Token) {
	s.Helper()
	a := s.signedUp(email)
	id := a.User.ID
	_, err := s.Recipe.Roles.Put(s.ctx, s.tenant.ID, recipe.Role{Name: "admin"}, audit.Record{})
	s.ok(err)
	_, err = s.Recipe.Roles.Grant(s.ctx, recipe.Grant{TenantID: s.tenant.ID, Org: recipe.Public, Subject: id, Role: "admin"}, audit.Record{})
	s.ok(err)
	_, err = s.Recipe.Metadatas.Swap(s.ctx, s.tenant.ID, id, recipe.Metadata{}, recipe.Metadata{Data: []byte(`{"a":1}`)}, audit.Record{})
	s.ok(err)
	s.ok(s.Recipe.Externals.Map(s.ctx, s.tenant.ID, recipe.External{UserID: id, Name: "ext " + id}, audit.Record{}))
	tokens := []recipe.Token{
		s.savedOneTime(s.oneTime(recipe.TokenVerify, id, email)), s.savedOneTime(s.oneTime(recipe.TokenReset, id, email)),
		s.savedOneTime(s.oneTime(recipe.TokenVerify, id, "mallory@example.com")),
	}
	s.savedTicket(s.ticket(login.TicketEmailChange, id, s.address()))
	return a, s.opened(a.User), tokens
}

// nothingOf checks that a deleted account left nothing that anybody could use.
func (s *scene) nothingOf(id string, tokens []recipe.Token) {
	s.Helper()
	s.nobody(id)
	s.nobody("ext " + id)
	for _, k := range tokens {
		s.oneTimeGone(k)
	}
	roles, err := s.Recipe.Roles.Of(s.ctx, s.tenant.ID, recipe.Public, id)
	if s.ok(err); len(roles) != 0 {
		s.Fatalf("roles: %v", roles)
	}
	m, err := s.Recipe.Metadatas.Load(s.ctx, s.tenant.ID, id)
	if s.ok(err); m.Version != 0 {
		s.Fatalf("metadata: %s", m.Data)
	}
	_, err = s.Recipe.Externals.ByUser(s.ctx, s.tenant.ID, id)
	s.refused(err, fault.NotFound, "")
}

func proofTakesClaim(s *scene) {
	email := s.address()
	a, f, tokens := s.planted(email)
	p := proof(s.saved(s.attempt(email)))
	m := s.mark()
	s.ok(s.Logins.Prove(s.ctx, p, m.Record))
	s.wrote(m, true)
	s.ended("address_proved_by_owner", f)
	s.nothingOf(a.User.ID, tokens)
	k := s.known(email)
	if k.User == nil || k.User.ID != p.UserID || k.Claimed || k.Password.PHC != p.Password.PHC || s.byEmail(email) != p.UserID {
		s.Fatalf("known: %+v", k)
	}
	n, err := s.Users.Purge(s.ctx, s.tenant.ID, p.At, 10)
	if s.ok(err); n != 1 {
		s.Fatalf("%d erased, want the claimant", n)
	}
}

// disabledClaim: an operator who disables an account means it.
func disabledClaim(s *scene) {
	email := s.address()
	a := s.signedUp(email)
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, a.User.ID, user.Disabled, noon, audit.Record{}))
	if k := s.known(email); k.Claimed {
		s.Fatal("a disabled account's address is anybody's")
	}
	s.refused(s.Logins.Prove(s.ctx, proof(s.saved(s.attempt(email))), audit.Record{}), fault.Gone, fault.ReasonGone)
}

// resetEmptiesClaim: the owner of the mailbox asks for "their" account back: it is theirs alone from then on.
func resetEmptiesClaim(s *scene) {
	email := s.address()
	a, f, tokens := s.planted(email)
	spend := resetOf(s.savedTicket(s.ticket(login.TicketReset, a.User.ID, email)))
	_, err := s.Logins.Reset(s.ctx, spend, audit.Record{})
	s.ok(err)
	s.ended("password_reset", f)
	for _, k := range tokens {
		s.oneTimeGone(k)
	}
	if k := s.known(email); k.Claimed || k.User.ID != a.User.ID || k.Password.PHC != spend.Password.PHC {
		s.Fatalf("known: %+v", k)
	}
}

func (s *scene) change(a recipe.Account) recipe.Change {
	return recipe.Change{TenantID: s.tenant.ID, UserID: a.User.ID, At: noon.Add(time.Minute)}
}

func accountEmail(s *scene) {
	old, next := s.address(), s.address()
	a := s.signedUp(old)
	f := s.opened(a.User)
	t := s.savedTicket(s.ticket(login.TicketReset, a.User.ID, old))
	c := s.change(a)
	c.Email, c.Typed = next, next
	m := s.mark()
	s.ok(s.Recipe.Accounts.Change(s.ctx, c, m.Record))
	s.wrote(m, true)
	got := s.account(a.User.ID)
	want := []user.Identifier{{Kind: user.Email, Value: next, Typed: next, VerifiedHow: user.Claimed, Primary: true}}
	s.same("identifiers", got.User.Identifiers, want)
	s.ticketGone(t.TokenHash, noon)
	s.live(f)
	if k := s.known(old); k.User != nil {
		s.Fatal("the old address is not free")
	}
	other := s.signedUp(s.address())
	c.Email = s.primary(other).Value
	m = s.mark()
	s.refused(s.Recipe.Accounts.Change(s.ctx, c, m.Record), fault.Conflict, "")
	s.wrote(m, false)
	s.same("identifiers after a refusal", s.account(a.User.ID).User.Identifiers, want)
	c.UserID = "absent"
	s.refused(s.Recipe.Accounts.Change(s.ctx, c, audit.Record{}), fault.NotFound, "")
}

// accountProvedEmail: the application let the user prove the new mailbox first.
func accountProvedEmail(s *scene) {
	a, next := s.signedUp(s.address()), s.address()
	_, err := s.Recipe.Tokens.Verify(s.ctx, spendOf(s.savedOneTime(s.oneTime(recipe.TokenVerify, a.User.ID, next))), audit.Record{})
	s.ok(err)
	s.proved(a.User.ID, next, true)
	c := s.change(a)
	c.Email, c.Typed = next, next
	s.ok(s.Recipe.Accounts.Change(s.ctx, c, audit.Record{}))
	i := s.primary(a)
	if i.Value != next || !i.VerifiedAt.Equal(noon.Add(time.Minute)) || i.VerifiedHow != "mail" {
		s.Fatalf("identifier: %+v", i)
	}
	s.proved(a.User.ID, next, true)
}

func accountPassword(s *scene) {
	email := s.address()
	a, f, tokens := s.planted(email)
	c := s.change(a)
	p := password("$new$")
	c.Password = &p
	s.ok(s.Recipe.Accounts.Change(s.ctx, c, audit.Record{}))
	s.ended("password_changed", f)
	for _, k := range tokens {
		s.oneTimeGone(k)
	}
	if k := s.known(email); k.Password.PHC != "$new$" || k.User.Epoch != a.User.Epoch+1 || !k.Claimed {
		s.Fatalf("known: %+v", k)
	}
	s.refused(s.Sessions.Open(s.ctx, s.family(a.User), nil, audit.Record{}), fault.Conflict, fault.ReasonUserChanged)
}

func removeAccount(s *scene) {
	email := s.address()
	a, f, tokens := s.planted(email)
	foreign := s.opened(user.User{ID: "ext " + a.User.ID}, func(f *session.Family) { f.UserID = "" })
	m := s.mark()
	names := []string{a.User.ID, "ext " + a.User.ID}
	found, err := s.Recipe.Accounts.Remove(s.ctx, s.tenant.ID, names, noon, noon.Add(time.Hour), m.Record)
	if s.ok(err); !found {
		s.Fatal("not found")
	}
	s.wrote(m, true)
	s.ended("user_deleted", f, foreign)
	s.nothingOf(a.User.ID, tokens)
	if k := s.known(email); k.User != nil || k.Closed {
		s.Fatalf("the address is not free: %+v", k)
	}
	s.signedUp(email)
	if n, err := s.Users.Purge(s.ctx, s.tenant.ID, noon.Add(59*time.Minute), 10); err != nil || n != 0 {
		s.Fatalf("erased %d too early, %v", n, err)
	}
	if n, err := s.Users.Purge(s.ctx, s.tenant.ID, noon.Add(time.Hour), 10); err != nil || n != 1 {
		s.Fatalf("erased %d, %v", n, err)
	}
}

func removeNobody(s *scene) {
	k := s.savedOneTime(s.oneTime(recipe.TokenVerify, "somebody", "a@example.com"))
	f := s.opened(user.User{ID: "somebody"}, func(f *session.Family) { f.UserID = "" })
	found, err := s.Recipe.Accounts.Remove(s.ctx, s.tenant.ID, []string{"somebody"}, noon, noon, audit.Record{})
	if s.ok(err); found {
		s.Fatal("found nobody")
	}
	s.ended("user_deleted", f)
	s.oneTimeGone(k)
}

func primaryAccount(s *scene) {
	a := s.signedUp(s.address())
	for _, want := range []bool{true, false} {
		got, err := s.Recipe.Accounts.SetPrimary(s.ctx, s.tenant.ID, a.User.ID, true, audit.Record{})
		if s.ok(err); got != want || !s.account(a.User.ID).Primary {
			s.Fatalf("changed: %v, want %v", got, want)
		}
	}
	got, err := s.Recipe.Accounts.SetPrimary(s.ctx, s.tenant.ID, a.User.ID, false, audit.Record{})
	if s.ok(err); !got || s.account(a.User.ID).Primary {
		s.Fatal("still primary")
	}
	_, err = s.Recipe.Accounts.SetPrimary(s.ctx, s.tenant.ID, "absent", true, audit.Record{})
	s.refused(err, fault.NotFound, "")
}

// accountPages: more users than a page holds, many of one instant, while others join at both ends: nobody who was there is missed or twice.
func accountPages(s *scene) {
	var want []string
	for i := range 70 {
		n := s.newcomer(fmt.Sprintf("p%03d@example.com", i))
		n.At = noon.Add(time.Duration(i/7) * time.Microsecond)
		s.ok(s.Recipe.Accounts.SignUp(s.ctx, n, audit.Record{}))
		want = append(want, n.UserID)
	}
	for i := 0; i < len(want); i += 7 { // of one instant: in the order of ids
		slices.Sort(want[i : i+7])
	}
	for _, newest := range []bool{false, true} {
		var got []string
		q := recipe.PageQuery{TenantID: s.tenant.ID, Org: recipe.Public, Newest: newest, Limit: 9}
		for {
			page, err := s.Recipe.People.Page(s.ctx, q)
			s.ok(err)
			for _, a := range page {
				if slices.Contains(want, a.User.ID) {
					got = append(got, a.User.ID)
				}
			}
			if len(page) < q.Limit {
				break
			}
			last := page[len(page)-1].User
			q.After = recipe.Cursor{JoinedAt: last.CreatedAt, UserID: last.ID}
			for _, at := range []time.Time{noon.Add(-time.Hour), noon.Add(time.Hour)} {
				n := s.newcomer(s.address())
				n.At = at
				s.ok(s.Recipe.Accounts.SignUp(s.ctx, n, audit.Record{}))
				if len(got) > 60 { // let them end
					break
				}
			}
			if len(got) > 200 {
				s.Fatal("the pages do not end")
			}
		}
		if newest {
			slices.Reverse(got)
		}
		if len(got) != len(want) {
			s.Fatalf("newest %v: %d of %d", newest, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				s.Fatalf("newest %v: place %d", newest, i)
			}
		}
	}
}

func accountFilters(s *scene) {
	ann, bob := s.signedUp("ann@example.com"), s.signedUp("bob@sub.example.org")
	proved := s.person("zoe_%@example.net")
	s.ok(s.Recipe.Accounts.SignUp(s.ctx, s.inOrg("elsewhere", "eve@example.com"), audit.Record{}))
	deleted := s.signedUp("gone@example.com")
	_, err := s.Recipe.Accounts.Remove(s.ctx, s.tenant.ID, []string{deleted.User.ID}, noon, noon.Add(time.Hour), audit.Record{})
	s.ok(err)
	for _, c := range []struct {
		q    recipe.PageQuery
		want []string
	}{
		{recipe.PageQuery{}, []string{ann.User.ID, bob.User.ID, proved.ID, s.byEmail("eve@example.com")}},
		{recipe.PageQuery{Org: recipe.Public}, []string{ann.User.ID, bob.User.ID, proved.ID}},
		{recipe.PageQuery{Org: "elsewhere"}, []string{s.byEmail("eve@example.com")}},
		{recipe.PageQuery{Org: "absent"}, nil},
		{recipe.PageQuery{Org: recipe.Public, Filter: recipe.Filter{Passwords: true}}, []string{ann.User.ID, bob.User.ID, proved.ID}},
		{recipe.PageQuery{Filter: recipe.Filter{NoPasswords: true}}, nil},
		{recipe.PageQuery{Filter: recipe.Filter{EmailPrefix: []string{"ann"}}}, []string{ann.User.ID}},
		{recipe.PageQuery{Filter: recipe.Filter{EmailPrefix: []string{"sub.ex", "ann"}}}, []string{ann.User.ID, bob.User.ID}},
		{recipe.PageQuery{Filter: recipe.Filter{EmailPrefix: []string{"zoe_%"}}}, []string{proved.ID}},
		{recipe.PageQuery{Filter: recipe.Filter{EmailPrefix: []string{"%", "_", "n"}}}, nil},
	} {
		c.q.TenantID, c.q.Limit = s.tenant.ID, 50
		page, err := s.Recipe.People.Page(s.ctx, c.q)
		s.ok(err)
		var got []string
		for _, a := range page {
			got = append(got, a.User.ID)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		s.same(fmt.Sprintf("page %+v", c.q), got, c.want)
		n, err := s.Recipe.People.Count(s.ctx, c.q)
		if s.ok(err); n != int64(len(c.want)) {
			s.Fatalf("count %+v: %d", c.q, n)
		}
	}
}

// inOrg is a newcomer to an organisation that is made along.
func (s *scene) inOrg(org, email string) recipe.Newcomer {
	s.Helper()
	_, err := s.Recipe.Organisations.Put(s.ctx, recipe.Organisation{TenantID: s.tenant.ID, ID: org}, audit.Record{})
	s.ok(err)
	n := s.newcomer(email)
	n.Org = org
	return n
}

func accountsElsewhere(s *scene) {
	a, f, _ := s.planted("ann@example.com")
	far := s.elsewhere()
	far.nobody(a.User.ID)
	far.nobody("ext " + a.User.ID)
	_, err := far.Recipe.People.ByEmail(s.ctx, far.tenant.ID, "ann@example.com")
	s.refused(err, fault.NotFound, "")
	found, err := far.Recipe.Accounts.Remove(s.ctx, far.tenant.ID, []string{a.User.ID}, noon, noon, audit.Record{})
	if s.ok(err); found {
		s.Fatal("removed from another tenant")
	}
	c := s.change(a)
	c.TenantID, c.Email = far.tenant.ID, "b@example.com"
	s.refused(far.Recipe.Accounts.Change(s.ctx, c, audit.Record{}), fault.NotFound, "")
	s.live(f)
	far.signedUp("ann@example.com")
}
