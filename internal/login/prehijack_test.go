package login_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// The attacks of the 2022 study of account pre-hijacking that exist without identity providers (unexpired session, trojan identifier,
// unexpired change of address), and variations that our own attempts and tickets invite. mallory never reads the victim's mail.
const (
	victim      = "victim@example.com"
	malloryPass = "mallory was here 1"
	victimPass  = "victim chose this 2"
)

// plant is every way a stranger can touch the victim's address.
var plant = map[string]func(t *testing.T, w *world){
	"registers": func(t *testing.T, w *world) { must(t, w.register(w.call("mallory"), victim, malloryPass)) },
	"registers typed": func(t *testing.T, w *world) {
		must(t, w.register(w.call("mallory"), " VICTIM@Example.com", malloryPass))
	},
	"asks for the mail": func(t *testing.T, w *world) { must(t, w.resend(w.call("mallory"), victim)) },
	"asks for a reset":  func(t *testing.T, w *world) { must(t, w.forgot(w.call("mallory"), victim)) },
	"logs in": func(t *testing.T, w *world) {
		_, err := w.login(w.call("mallory"), w.shut, victim, malloryPass)
		refused(t, err)
	},
	"logs in to sign up": func(t *testing.T, w *world) {
		_, err := w.login(w.call("mallory"), w.auto, victim, malloryPass)
		refused(t, err)
	},
	"moves to it": func(t *testing.T, w *world) { w.moveMallory(t, victim) },
}

// claim is every way the victim can come to the account. All of them end with victimPass.
var claim = map[string]func(t *testing.T, w *world, between func()){
	"by registering": func(t *testing.T, w *world, between func()) {
		must(t, w.register(w.call("victim"), victim, victimPass))
		token := w.token(t, victim)
		between()
		_, err := w.verify(w.call("victim"), token, "", "")
		must(t, err)
	},
	"by registering, link on the phone": func(t *testing.T, w *world, between func()) {
		must(t, w.register(w.call("victim"), victim, victimPass))
		token := w.token(t, victim)
		between()
		_, err := w.verify(w.call("phone"), token, victimPass, "")
		must(t, err)
	},
	"by logging in to sign up": func(t *testing.T, w *world, between func()) {
		_, err := w.login(w.call("victim"), w.auto, victim, victimPass)
		refused(t, err)
		token := w.token(t, victim)
		between()
		_, err = w.verify(w.call("victim"), token, "", "")
		must(t, err)
	},
	"by registering and asking for the mail again": func(t *testing.T, w *world, between func()) {
		must(t, w.register(w.call("victim"), victim, victimPass))
		between()
		must(t, w.resend(w.call("victim"), victim))
		_, err := w.verify(w.call("victim"), w.token(t, victim), "", "")
		must(t, err)
	},
	"by reset": func(t *testing.T, w *world, between func()) {
		must(t, w.register(w.call("victim"), victim, victimPass))
		between()
		must(t, w.forgot(w.call("victim"), victim))
		_, err := w.reset(w.call("victim"), w.token(t, victim), victimPass)
		must(t, err)
	},
	"by the newest mail and a new password": func(t *testing.T, w *world, between func()) {
		must(t, w.register(w.call("victim"), victim, victimPass))
		between()
		_, err := w.verify(w.call("victim"), w.lastSignup(t), "", victimPass)
		must(t, err)
	},
}

func refused(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("a login at an unproved address succeeded")
	}
}

// moveMallory asks for mallory's own account to be moved to an address.
func (w *world) moveMallory(t *testing.T, to string) {
	t.Helper()
	id := w.memberID(t, "mallory@example.com")
	_, _, err := w.svc.Update(context.Background(), w.call("mallory"), w.live(id, "mallory@example.com"), login.MeChange{Email: &to})
	must(t, err)
}

func (w *world) memberID(t *testing.T, email string) string {
	t.Helper()
	k, err := w.b.logins.Known(context.Background(), login.KnownQuery{TenantID: w.t.ID, ClientID: "shut", Email: email, At: w.now})
	must(t, err)
	if k.User == nil {
		t.Fatalf("%s is nobody", email)
	}
	return k.User.ID
}

// lastSignup is the token of the newest sign-up mail to the victim, whoever caused it.
func (w *world) lastSignup(t *testing.T) string {
	t.Helper()
	w.j.mu.Lock()
	defer w.j.mu.Unlock()
	for i := len(w.j.mails) - 1; i >= 0; i-- {
		if m := w.j.mails[i]; m.To == victim && m.Template == "verify" {
			return m.Link[len(m.Link)-43:]
		}
	}
	t.Fatal("no sign-up mail")
	return ""
}

// nothingLeft checks that mallory, who knows malloryPass, the browser "mallory" and the account mallory@example.com, has no way in, and that
// no mail sent so far still works for anybody.
func (w *world) nothingLeft(t *testing.T, tokens []string) {
	t.Helper()
	for _, c := range []*tenant.Client{w.shut, w.auto} {
		_, err := w.login(w.call("mallory"), c, victim, malloryPass)
		wantReason(t, "mallory's password at "+c.ID, err, fault.ReasonInvalidCredentials)
	}
	for _, token := range tokens {
		_, err := w.verify(w.call("mallory"), token, malloryPass, "")
		wantReason(t, "an old link with mallory's password", err, fault.ReasonGone)
		_, err = w.verify(w.call("victim"), token, "", "")
		wantReason(t, "an old link in the victim's browser", err, fault.ReasonGone)
		_, err = w.reset(w.call("mallory"), token, malloryPass)
		wantReason(t, "an old reset link", err, fault.ReasonGone)
	}
	out, err := w.login(w.call("victim"), w.auto, victim, victimPass)
	must(t, err)
	u, err := w.b.users.Get(context.Background(), w.t.ID, out.Tokens.Family.UserID, "auto")
	must(t, err)
	if u.Name == "Name of mallory" || len(u.Identifiers) != 1 || u.PrimaryEmail().Value != victim {
		t.Errorf("the victim's account holds something foreign: %+v", u)
	}
	if other := w.memberID(t, "mallory@example.com"); other == u.ID {
		t.Error("mallory's account became the victim's")
	}
}

func (w *world) tokensTo(email string) (tokens []string) {
	w.j.mu.Lock()
	defer w.j.mu.Unlock()
	for _, m := range w.j.mails {
		if m.To == email && m.Link != "" {
			tokens = append(tokens, m.Link[len(m.Link)-43:])
		}
	}
	return tokens
}

// TestPreHijack lets mallory touch the victim's address before, between and after the victim's own steps.
func TestPreHijack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for attack := range plant {
			for road := range claim {
				t.Run("mallory "+attack+", the victim comes "+road, func(t *testing.T) {
					preHijack(t, newWorld(t, w.b, login.Config{}), attack, road)
				})
			}
		}
	})
}

func preHijack(t *testing.T, w *world, attack, road string) {
	w.t.Policy.Limits = tenant.Limits{MailAddress: "off", PasswordAccount: "off"}
	w.memberWith(t, "mallory@example.com", malloryPass)
	does := plant[attack]
	does(t, w)
	claim[road](t, w, func() { does(t, w) })
	tokens := w.tokensTo(victim)
	w.nothingLeft(t, tokens)
	does(t, w)
	if attack != "asks for a reset" { // that mail is the victim's to use
		tokens = append(tokens, w.tokensTo(victim)...)
	}
	w.now = w.now.Add(time.Hour)
	w.nothingLeft(t, tokens)
}

// TestVictimClicksForMallory: the victim opens mallory's link and presses the button, in their own browser.
func TestVictimClicksForMallory(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("mallory"), victim, malloryPass))
		token := w.token(t, victim)
		for _, pw := range []string{"", victimPass} {
			_, err := w.verify(w.call("victim"), token, pw, "")
			wantReason(t, "the click", err, fault.ReasonInvalidCredentials)
		}
		_, err := w.login(w.call("mallory"), w.shut, victim, malloryPass)
		wantReason(t, "mallory after the click", err, fault.ReasonEmailUnverified)
	})
}

// TestVictimClicksMove: the victim presses the button of a mail that would attach their mailbox to mallory's account.
func TestVictimClicksMove(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.memberWith(t, "mallory@example.com", malloryPass)
		w.moveMallory(t, victim)
		token := w.token(t, victim)
		p, err := w.svc.Inspect(context.Background(), w.call("victim"), w.t, secret.NewText(token))
		if err != nil || p.Kind != login.PendingEmailChange || p.SameBrowser || p.Email != victim {
			t.Errorf("Inspect: %+v, %v", p, err)
		}
		_, err = w.verify(w.call("victim"), token, "", "")
		wantReason(t, "the click", err, fault.ReasonInvalidCredentials)
		_, err = w.verify(w.call("victim"), token, "", victimPass)
		wantReason(t, "the click with a new password", err, fault.ReasonInvalidCredentials)
		k, err := w.b.logins.Known(context.Background(), login.KnownQuery{TenantID: w.t.ID, Email: victim, At: w.now})
		if err != nil || k.User != nil {
			t.Errorf("the address belongs to %+v, %v", k.User, err)
		}
	})
}

// TestUnexpiredChange: mallory, for a moment inside the victim's account, asks to move it to a mailbox of mallory's, and waits. The
// victim's reset must end that.
func TestUnexpiredChange(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.memberWith(t, victim, victimPass)
		to := "mallory@example.com"
		_, _, err := w.svc.Update(context.Background(), w.call("mallory"), w.live(id, victim), login.MeChange{Email: &to})
		must(t, err)
		token := w.token(t, to)
		must(t, w.forgot(w.call("victim"), victim))
		_, err = w.reset(w.call("victim"), w.token(t, victim), victimPass+"!")
		must(t, err)
		_, err = w.verify(w.call("mallory"), token, "", "")
		wantReason(t, "the change after the reset", err, fault.ReasonGone)
		if w.memberID(t, victim) != id {
			t.Error("the account moved")
		}
	})
}
