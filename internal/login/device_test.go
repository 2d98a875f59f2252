package login_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TestStrangersDoNotLockOutAKnownDevice: guesses from everywhere use up the account's limit; the owner's device does not care, and
// another account's device buys nothing.
func TestStrangersDoNotLockOutAKnownDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.t.Policy.Limits.PasswordAccount = "20/24h"
		w.member(t, "ada@example.com")
		w.memberWith(t, "mallory@example.com", malloryPass)
		device := func(email, pw string) string {
			out, err := w.login(w.call(""), w.shut, email, pw)
			must(t, err)
			id := w.svc.DeviceID(w.t, out.DeviceCookie)
			if id == "" || out.Tokens.Family.Device != id {
				t.Fatalf("device %q, session's device %q", id, out.Tokens.Family.Device)
			}
			return id
		}
		adas, mallorys := device("ada@example.com", goodPassword), device("mallory@example.com", malloryPass)
		try := func(device, pw string) error {
			call := w.call("")
			call.Device = device
			_, err := w.login(call, w.shut, "ada@example.com", pw)
			return err
		}
		for n := range 200 {
			want := fault.ReasonInvalidCredentials
			if n >= 20 {
				want = fault.ReasonLimited
			}
			wantReason(t, fmt.Sprint("guess ", n), try(mallorys, "a wrong password"), want)
		}
		wantReason(t, "owner on an unknown device", try("", goodPassword), fault.ReasonLimited)
		wantReason(t, "owner on the known device", try(adas, goodPassword), "")
		for range 20 {
			wantReason(t, "known device, wrong", try(adas, "a wrong password"), fault.ReasonInvalidCredentials)
		}
		wantReason(t, "known device, too many", try(adas, goodPassword), fault.ReasonLimited)
	})
}

func TestDeviceKeepsItsID(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	w.member(t, "ada@example.com")
	w.memberWith(t, "bob@example.com", goodPassword)
	call := w.call("")
	out, err := w.login(call, w.shut, "ada@example.com", goodPassword)
	must(t, err)
	first := w.svc.DeviceID(w.t, out.DeviceCookie)
	call.Device = first
	out, err = w.login(call, w.shut, "ada@example.com", goodPassword)
	must(t, err)
	if again := w.svc.DeviceID(w.t, out.DeviceCookie); again != first {
		t.Errorf("the device became %q after %q", again, first)
	}
	out, err = w.login(call, w.shut, "bob@example.com", goodPassword)
	must(t, err)
	if other := w.svc.DeviceID(w.t, out.DeviceCookie); other == first || other == "" {
		t.Errorf("another account on the device got %q", other)
	}
}

func TestDeviceCookieIsAStatement(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	w.member(t, "ada@example.com")
	out, err := w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
	must(t, err)
	good := out.DeviceCookie.Reveal()
	if w.svc.DeviceID(&tenant.Tenant{ID: secret.NewID(w.now)}, out.DeviceCookie) != "" {
		t.Error("the cookie holds at another tenant")
	}
	for i := range len(good) {
		bad := good[:i] + string(good[i]^1) + good[i+1:]
		if w.svc.DeviceID(w.t, secret.NewText(bad)) != "" && !sameTail(good, bad) {
			t.Errorf("changed at %d it still proves a device", i)
		}
	}
	for _, bad := range []string{"", ".", "gd1", strings.Repeat(".", 6), good + "x", good + ".", " " + good, good[:len(good)-1],
		strings.Repeat("a", 10000), "gd1.0...." + good[strings.LastIndexByte(good, '.'):]} {
		if w.svc.DeviceID(w.t, secret.NewText(bad)) != "" {
			t.Errorf("%q proves a device", bad)
		}
	}
}

// sameTail: the last base64 character carries unused bits, which may differ without changing the MAC.
func sameTail(a, b string) bool { return a[:len(a)-1] == b[:len(b)-1] }

func FuzzDeviceID(f *testing.F) {
	w := newWorld(&testing.T{}, memoryBackend(nil), login.Config{})
	f.Add("gd1.2." + w.t.ID + ".u.d.AAAA")
	f.Add("gd1.99999999999." + w.t.ID + ".u.d.AAAA")
	f.Add("gd1.....")
	f.Fuzz(func(t *testing.T, cookie string) {
		if id := w.svc.DeviceID(w.t, secret.NewText(cookie)); id != "" {
			t.Fatalf("%q proves device %q", cookie, id)
		}
	})
}
