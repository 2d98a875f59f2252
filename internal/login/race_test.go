package login_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

const parallel = race.Callers

// raced runs f many times at once and counts the outcomes by reason.
func raced(f func(n int) error) map[fault.Reason]int {
	var mu sync.Mutex
	count := map[fault.Reason]int{}
	race.Together(parallel, func(n int) {
		r := fault.ReasonOf(f(n))
		mu.Lock()
		defer mu.Unlock()
		count[r]++
	})
	return count
}

func wantOneOf(t *testing.T, what string, got map[fault.Reason]int) {
	t.Helper()
	if got[""] != 1 || got[fault.ReasonGone] != parallel-1 {
		t.Errorf("%s under %d callers: %v, want one success and else gone", what, parallel, got)
	}
}

func TestOneTimeTokensAreSpentOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		signup := w.token(t, "ada@example.com")
		wantOneOf(t, "proof of a sign-up", raced(func(n int) error {
			if n%2 == 0 {
				_, err := w.verify(w.call("b1"), signup, "", "")
				return err
			}
			_, err := w.verify(w.call(""), signup, "", fmt.Sprintf("new password of %d", n))
			return err
		}))
		must(t, w.forgot(w.call(""), "ada@example.com"))
		reset := w.token(t, "ada@example.com")
		wantOneOf(t, "reset", raced(func(n int) error {
			_, err := w.reset(w.call(""), reset, fmt.Sprintf("new password of %d", n))
			return err
		}))
		must(t, w.register(w.call("b2"), "bob@example.com", goodPassword))
		must(t, w.forgot(w.call(""), "bob@example.com"))
		reset = w.token(t, "bob@example.com")
		wantOneOf(t, "reset that makes the user", raced(func(n int) error {
			_, err := w.reset(w.call(""), reset, fmt.Sprintf("new password of %d", n))
			return err
		}))
		to, id := "ada@example.org", w.memberID(t, "ada@example.com")
		_, _, err := w.svc.Update(context.Background(), w.call("b1"), w.live(id, "ada@example.com"), login.MeChange{Email: &to})
		must(t, err)
		change := w.token(t, to)
		wantOneOf(t, "change of address", raced(func(int) error {
			_, err := w.verify(w.call("b1"), change, "", "")
			return err
		}))
	})
}

// TestOneAccountOfManyAttempts: many proved attempts for one address at once make one user.
func TestOneAccountOfManyAttempts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.t.Policy.Limits.MailAddress = "off"
		var tokens [16]string
		for n := range tokens {
			must(t, w.register(w.call(fmt.Sprint("b", n)), "ada@example.com", goodPassword))
			tokens[n] = w.token(t, "ada@example.com")
		}
		wantOneOf(t, "proof of sixteen attempts", raced(func(n int) error {
			n %= len(tokens)
			_, err := w.verify(w.call(fmt.Sprint("b", n)), tokens[n], "", "")
			return err
		}))
	})
}

// guesses lets parallel wrong guesses loose and wants exactly pass of them judged.
func guesses(t *testing.T, what string, pass int, f func(n int) error) {
	t.Helper()
	got := raced(f)
	if got[fault.ReasonInvalidCredentials] != pass || got[fault.ReasonLimited] != parallel-pass {
		t.Errorf("%s: %v, want exactly %d judged and %d limited", what, got, pass, parallel-pass)
	}
}

// TestLimitsAreExact compares what passes under parallel callers with the formula: a burst of N, then one each window/N.
func TestLimitsAreExact(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.member(t, "ada@example.com")
		one := netip.MustParseAddr("203.0.113.7")
		wrong := func(a netip.Addr, email string) error {
			_, err := w.login(w.from(a, ""), w.shut, email, "a wrong password")
			return err
		}
		guesses(t, "(network, account)", 5, func(int) error { return wrong(one, "ada@example.com") })
		w.now = w.now.Add(time.Minute - time.Microsecond)
		guesses(t, "(network, account) just before a unit is back", 0, func(int) error { return wrong(one, "ada@example.com") })
		w.now = w.now.Add(time.Microsecond)
		guesses(t, "(network, account) when a unit is back", 1, func(int) error { return wrong(one, "ada@example.com") })

		w.now = w.now.Add(time.Hour)
		guesses(t, "network, many accounts", 10, func(n int) error { return wrong(one, fmt.Sprintf("nobody%d@example.com", n)) })
		w.now = w.now.Add(6 * time.Second)
		guesses(t, "network when a unit is back", 1, func(n int) error { return wrong(one, fmt.Sprintf("other%d@example.com", n)) })
		six := func(n int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 15: byte(n)})
		}
		guesses(t, "one IPv6 /64", 10, func(n int) error { return wrong(six(n), fmt.Sprintf("nobody%d@example.com", n)) })

		w.now = w.now.Add(48 * time.Hour)
		w.t.Policy.Limits.PasswordAccount = "40/24h"
		guesses(t, "account from everywhere", 40, func(int) error {
			_, err := w.login(w.call(""), w.shut, "ada@example.com", "a wrong password")
			return err
		})
		_, err := w.login(w.call(""), w.shut, "ada@example.com", "a wrong password")
		wantReason(t, "once more", err, fault.ReasonLimited)
		if e := w.j.last(); e.Reason != "rate_limited" || e.Detail["limit"] != "password_account" {
			t.Errorf("the refusal is recorded as %+v", e)
		}
	})
}

func TestMailLimitsAreExact(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		got := raced(func(n int) error {
			switch n % 3 {
			case 0:
				return w.register(w.call(""), "ada@example.com", goodPassword)
			case 1:
				return w.resend(w.call(""), "ada@example.com")
			}
			return w.forgot(w.call(""), "ada@example.com")
		})
		if got[""] != 5 || got[fault.ReasonLimited] != parallel-5 {
			t.Errorf("mails to one address: %v, want 5", got)
		}
		one := netip.MustParseAddr("203.0.113.7")
		got = raced(func(n int) error { return w.forgot(w.from(one, ""), fmt.Sprintf("nobody%d@example.com", n)) })
		if got[""] != 5 || got[fault.ReasonLimited] != parallel-5 {
			t.Errorf("mails from one network: %v, want 5", got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	call := w.call("")
	for range 5 {
		_, _ = w.login(call, w.shut, "ada@example.com", "a wrong password")
	}
	_, err := w.login(call, w.shut, "ada@example.com", "a wrong password")
	if f := fault.From(err); f.Kind != fault.Limited || f.RetryAfter != time.Minute {
		t.Errorf("limited is %+v, want Retry-After of a minute", f)
	}
}

// TestGoodLoginsAreFree: one office's good logins do not lock each other out, nor do calls that were judged by nobody.
func TestGoodLoginsAreFree(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.member(t, "ada@example.com")
		office := netip.MustParseAddr("203.0.113.7")
		for range 30 {
			_, err := w.login(w.from(office, ""), w.shut, "ada@example.com", goodPassword)
			must(t, err)
		}
		must(t, w.register(w.call("b1"), "bob@example.com", goodPassword))
		for range 30 {
			_, err := w.login(w.from(office, "b1"), w.shut, "bob@example.com", goodPassword)
			wantReason(t, "right password of an attempt", err, fault.ReasonEmailUnverified)
		}
	})
}

func TestLoopbackHasNoNetworkLimits(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	local := func(loopback bool, n int) error {
		call := w.from(netip.MustParseAddr("127.0.0.1"), "")
		call.Loopback = loopback
		_, err := w.login(call, w.shut, fmt.Sprintf("n%d@example.com", n), "a wrong password")
		return err
	}
	if got := raced(func(n int) error { return local(true, n) }); got[fault.ReasonInvalidCredentials] != parallel {
		t.Errorf("development on loopback: %v", got)
	}
	if got := raced(func(n int) error { return local(false, n) }); got[fault.ReasonInvalidCredentials] != 10 {
		t.Errorf("loopback in production: %v", got)
	}
	guesses(t, "one account on loopback", 5, func(int) error { return local(true, 1000) })
}

func TestAFaultyLimitIsNotNoLimit(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	w.t.Policy.Limits = tenant.Limits{PasswordAccount: "many"}
	_, err := w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
	wantReason(t, "a limit that cannot be read", err, fault.ReasonInternal)
}

// TestProofAgainstReset: the link of a sign-up and of a reset for the same address, pressed together, make one user.
func TestProofAgainstReset(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		signup := w.token(t, "ada@example.com")
		must(t, w.forgot(w.call("b1"), "ada@example.com"))
		reset := w.token(t, "ada@example.com")
		wantOneOf(t, "proof against reset", raced(func(n int) error {
			if n%2 == 0 {
				_, err := w.verify(w.call("b1"), signup, "", "")
				return err
			}
			_, err := w.reset(w.call("b1"), reset, "another tractor 92")
			return err
		}))
	})
}
