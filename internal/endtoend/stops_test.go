package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// stopper ends a person's sessions; mails are those the person has had so far.
type stopper func(ctx context.Context, s *server.Server, beside *sqlstore.Store, p *drill.Person, id, access string) error

func call(ctx context.Context, s *server.Server, access, method, path string, body any, want int) error {
	r, err := s.Visitor().With("Authorization", "Bearer "+access).Do(ctx, method, path, body)
	if err == nil && r.Status != want {
		err = fmt.Errorf("%s %s: %s", method, path, r)
	}
	return err
}

var stoppers = map[string]stopper{
	"logout all": func(ctx context.Context, s *server.Server, _ *sqlstore.Store, _ *drill.Person, _, access string) error {
		return call(ctx, s, access, http.MethodPost, "/logout", map[string]bool{"all": true}, 200)
	},
	"delete me": func(ctx context.Context, s *server.Server, _ *sqlstore.Store, _ *drill.Person, _, access string) error {
		return call(ctx, s, access, http.MethodDelete, "/me", nil, 204)
	},
	"reset": func(ctx context.Context, s *server.Server, _ *sqlstore.Store, p *drill.Person, _, _ string) error {
		link, err := s.Link(ctx, p.Email, 2) // asked for beforehand
		if err != nil {
			return err
		}
		return call(ctx, s, "", http.MethodPost, "/password/reset", map[string]string{"token": tail(link), "password": "a wholly new password"}, 200)
	},
	"disable": func(ctx context.Context, s *server.Server, beside *sqlstore.Store, _ *drill.Person, id, _ string) error {
		return beside.Users().SetStatus(ctx, s.TenantID, id, user.Disabled, time.Now(), audit.Record{})
	},
	"epoch": func(ctx context.Context, s *server.Server, beside *sqlstore.Store, _ *drill.Person, id, _ string) error {
		_, err := beside.Users().RaiseEpoch(ctx, s.TenantID, id, "operator", time.Now(), audit.Record{})
		return err
	},
}

// TestRefreshAgainstEveryStop: 16 refreshes of two families race each act that ends sessions. Once the act has answered, nothing that was
// handed out before, during or after it works.
func TestRefreshAgainstEveryStop(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		s := server.Start(t, withStrictClient(o))
		store := beside(t, s, o)
		eachDialect(t, func(t *testing.T, d dialect) { refreshAgainstStops(t, d, s, store) })
	})
}

func refreshAgainstStops(t *testing.T, d dialect, s *server.Server, store *sqlstore.Store) {
	ctx := t.Context()
	for name, stop := range stoppers {
		p := signUp(ctx, t, s, "stop")
		r, err := s.Visitor().Post(ctx, "/password/forgot", map[string]string{"email": p.Email})
		must(t, "forgot", r, err, 202)
		_, err = s.Link(ctx, p.Email, 2)
		do(t, err)
		access, refresh := d.open(ctx, t, s, p)
		access2, refresh2 := d.open(ctx, t, s, p)
		me, err := s.Me(ctx, access)
		must(t, "me", me, err, 200)
		s.MustAdvance(ctx, 61*time.Second)
		got, err := drill.Together(17, func(i int) ([2]string, error) {
			if i == 7 {
				return [2]string{}, stop(ctx, s, store, p, me.Text("id"), access)
			}
			r, err := d.refresh(ctx, s, []string{refresh, refresh2}[i%2])
			if err != nil || r.Status != 200 && r.Status != d.refused {
				return [2]string{}, fmt.Errorf("refresh: %v %w", r, err)
			}
			return [2]string{r.Text("access_token"), r.Text("refresh_token")}, nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, pair := range append(got, [2]string{access, refresh}, [2]string{access2, refresh2}) {
			if pair[1] == "" {
				continue
			}
			r, err := d.refresh(ctx, s, pair[1])
			must(t, name+": a refresh token afterwards", r, err, d.refused)
			r, err = s.Refresh(ctx, pair[0], pair[1])
			must(t, name+": both tokens afterwards", r, err, 401)
			r, err = s.Me(ctx, pair[0])
			must(t, name+": an access token afterwards", r, err, 401)
		}
	}
}

// TestDisabledIsToldToTheOwnerAlone: only who types the right password learns it.
func TestDisabledIsToldToTheOwnerAlone(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, withStrictClient(o))
		p := signUp(ctx, t, s, "disabled")
		access, refresh := bearer(ctx, t, p)
		me, err := s.Me(ctx, access)
		must(t, "me", me, err, 200)
		do(t, stoppers["disable"](ctx, s, beside(t, s, o), p, me.Text("id"), access))
		r, err := p.LogIn(ctx, s.Visitor())
		refusedFor(t, "the right password", r, err, 403, "disabled")
		r, err = s.Visitor().Post(ctx, "/login/password", map[string]string{"email": p.Email, "password": "a wrong password"})
		refusedFor(t, "a wrong password", r, err, 401, "invalid_credentials")
		r, err = s.Refresh(ctx, "", refresh)
		must(t, "refresh", r, err, 401)
		if got := r.Text("reason"); got != "user_disabled" && got != "session_revoked" {
			t.Errorf("refresh of a disabled user: %q", got)
		}
	})
}
