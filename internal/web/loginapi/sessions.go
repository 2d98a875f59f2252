package loginapi

import (
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

const (
	defaultPage = 50
	maxPage     = 100
	maxPages    = 200 // of a walk through one person's sessions
)

// endedByOwner is the reason recorded on sessions that their owner ended from the list.
const endedByOwner = "ended_by_owner"

func (a *API) sessions(x *web.Exchange, live session.Live) error {
	limit, after, err := page(x)
	if err != nil {
		return err
	}
	found, err := a.cfg.Sessions.List(x.R.Context(), x.Call, session.ListQuery{
		TenantID: x.Tenant.ID, Subject: live.Claims.Subject, At: x.Call.At, After: after, Limit: limit + 1,
	})
	if err != nil {
		return err
	}
	out := SessionList{Items: make([]SessionItem, 0, len(found))}
	if len(found) > limit {
		found = found[:limit]
		out.Next = cursor(found[limit-1].ID)
	}
	for i := range found {
		out.Items = append(out.Items, item(&found[i], live.Claims.SessionID))
	}
	return x.JSON(http.StatusOK, out)
}

// page reads limit and after.
func page(x *web.Exchange) (limit int, after string, err error) {
	q := x.R.URL.Query()
	limit = defaultPage
	if s := q.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > maxPage {
			return 0, "", invalid("limit", "must be a number from 1 to 100")
		}
	}
	if s := q.Get("after"); s != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || len(raw) != 16 {
			return 0, "", invalid("after", "is no cursor of this list")
		}
		after = secret.FormatID([16]byte(raw))
	}
	return limit, after, nil
}

// cursor is opaque to callers.
func cursor(id string) string {
	b, ok := secret.ParseID(id)
	if !ok {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// endOne ends a session only when it stands in the caller's own list: an id alone proves nothing.
func (a *API) endOne(x *web.Exchange, live session.Live) error {
	id := x.R.PathValue("id")
	own, err := a.owns(x, live, id)
	if err != nil {
		return err
	}
	if !own {
		return fault.New(fault.NotFound, fault.ReasonNotFound, "there is no such session of yours")
	}
	if _, err := a.cfg.Sessions.Revoke(x.R.Context(), x.Call, session.Match{TenantID: x.Tenant.ID, ID: id}, endedByOwner); err != nil {
		return err
	}
	return x.NoContent()
}

func (a *API) owns(x *web.Exchange, live session.Live, id string) (bool, error) {
	if id == live.Claims.SessionID {
		return true, nil
	}
	if _, ok := secret.ParseID(id); !ok {
		return false, nil
	}
	q := session.ListQuery{TenantID: x.Tenant.ID, Subject: live.Claims.Subject, At: x.Call.At, Limit: maxPage}
	for range maxPages {
		found, err := a.cfg.Sessions.List(x.R.Context(), x.Call, q)
		if err != nil {
			return false, err
		}
		for i := range found {
			if found[i].ID == id {
				return true, nil
			}
		}
		if len(found) < q.Limit {
			return false, nil
		}
		q.After = found[len(found)-1].ID
	}
	return false, nil
}

func (a *API) endOthers(x *web.Exchange, live session.Live) error {
	if x.R.URL.Query().Get("except") != "current" {
		return invalid("except", "must be current; to end this session as well, log out")
	}
	ended, err := a.cfg.Sessions.Revoke(x.R.Context(), x.Call, session.Match{
		TenantID: x.Tenant.ID, Subject: live.Claims.Subject, Except: live.Claims.SessionID,
	}, endedByOwner)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, EndedAnswer{Ended: len(ended)})
}
