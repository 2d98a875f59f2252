package servicekey_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// shelf keeps keys in memory and counts what is asked of it.
type shelf struct {
	servicekey.Store
	keys   []servicekey.Key
	reads  int
	used   []time.Time
	broken error
}

func (s *shelf) ByHash(_ context.Context, tenantID string, hash []byte) (servicekey.Key, error) {
	s.reads++
	for _, k := range s.keys {
		if k.TenantID == tenantID && string(k.Hash) == string(hash) {
			return k, nil
		}
	}
	if s.broken != nil {
		return servicekey.Key{}, s.broken
	}
	return servicekey.Key{}, fault.New(fault.NotFound, fault.ReasonNotFound, "none")
}

func (s *shelf) Used(_ context.Context, _, _ string, at, _ time.Time) error {
	s.used = append(s.used, at)
	return errors.New("the note is lost, the call is not")
}

func TestCheck(t *testing.T) {
	s := &shelf{}
	svc := servicekey.NewService(s, slog.New(slog.DiscardHandler))
	k, text, err := servicekey.New("t1", " billing ", []string{servicekey.ScopeUsers, servicekey.ScopeVerify, servicekey.ScopeUsers}, noon)
	if err != nil || k.Name != "billing" || len(k.Scopes) != 2 || !strings.HasPrefix(text.Reveal(), "gk_") {
		t.Fatalf("%+v %v", k, err)
	}
	dead, deadText, _ := servicekey.New("t1", "old", servicekey.Scopes(), noon)
	dead.RevokedAt = noon
	s.keys = []servicekey.Key{k, dead}
	call := &audit.Call{At: noon}
	check := func(tenantID string, key secret.Text, scope string) fault.Reason {
		_, err := svc.Check(t.Context(), call, tenantID, key, scope)
		return fault.ReasonOf(err)
	}
	if got := check("t1", text, servicekey.ScopeVerify); got != "" {
		t.Error(got)
	}
	if got := check("t1", text, servicekey.ScopeRevoke); got != fault.ReasonScope {
		t.Error(got)
	}
	before := s.reads
	bad := map[string]secret.Text{"missing": {}, "wrong": secret.NewText("gk_x"), "revoked": deadText, "long": secret.NewText(strings.Repeat("x", 9999))}
	for what, key := range bad {
		if got := check("t1", key, servicekey.ScopeVerify); got != fault.ReasonInternalKey {
			t.Errorf("%s: %q", what, got)
		}
	}
	if got := check("t2", text, servicekey.ScopeVerify); got != fault.ReasonInternalKey {
		t.Errorf("at another tenant: %q", got)
	}
	if s.reads-before != len(bad)+1 {
		t.Errorf("%d look-ups for %d refusals: they can be told apart by their work", s.reads-before, len(bad)+1)
	}
	s.broken = fault.New(fault.Unavailable, fault.ReasonUnavailable, "down")
	if got := check("t1", secret.NewText("gk_x"), servicekey.ScopeVerify); got != fault.ReasonUnavailable {
		t.Errorf("a store that is down: %q", got)
	}
}

// The empty text is no key, even where a row has its hash.
func TestEmptyKeyIsNone(t *testing.T) {
	k, err := servicekey.Of("t1", "x", servicekey.Scopes(), noon, secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	svc := servicekey.NewService(&shelf{keys: []servicekey.Key{k}}, nil)
	if _, err := svc.Check(t.Context(), &audit.Call{At: noon}, "t1", secret.Text{}, servicekey.ScopeUsers); fault.ReasonOf(err) != fault.ReasonInternalKey {
		t.Error(err)
	}
}

func TestUseIsNotedCoarsely(t *testing.T) {
	k, text, _ := servicekey.New("t1", "x", servicekey.Scopes(), noon)
	k.LastUsed = noon
	s := &shelf{keys: []servicekey.Key{k}}
	svc := servicekey.NewService(s, slog.New(slog.DiscardHandler))
	for _, after := range []time.Duration{0, time.Second, time.Minute - time.Microsecond, time.Minute} {
		if _, err := svc.Check(t.Context(), &audit.Call{At: noon.Add(after)}, "t1", text, servicekey.ScopeUsers); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.used) != 1 || !s.used[0].Equal(noon.Add(time.Minute)) {
		t.Errorf("noted at %v", s.used)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, bad := range []struct {
		name   string
		scopes []string
	}{{"", servicekey.Scopes()}, {"a\nb", servicekey.Scopes()}, {strings.Repeat("x", 65), servicekey.Scopes()}, {"x", nil}, {"x", []string{"all"}}, {"x", []string{""}}} {
		if _, _, err := servicekey.New("t1", bad.name, bad.scopes, noon); fault.ReasonOf(err) != fault.ReasonInvalid {
			t.Errorf("%q %v: %v", bad.name, bad.scopes, err)
		}
	}
}
