package oauthapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/revocation"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

const (
	keyHeader  = "X-Internal-Api-Key"
	maxWait    = 25 * time.Second // of a long poll: below what proxies take for dead
	patience   = 5 * time.Second  // for a reader who does not read
	checkEvery = 30 * time.Second // a key that was revoked ends its streams within this
	maxStream  = 64               // bytes of a stream's name
	ended      = "event: end\ndata: {}\n\n"
)

// revocations is the feed: a stream of server-sent events for who accepts those, else one answer of a long poll.
func (a *API) revocations(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	if err := a.mayFollow(x); err != nil {
		return err
	}
	from, wait, err := place(x.R)
	if err != nil {
		return err
	}
	if x.R.Method == http.MethodHead { // it has no body to wait for
		return x.NoContent()
	}
	f, err := a.cfg.Feed.Follow(x.R.Context(), x.Tenant, from)
	if errors.Is(err, revocation.ErrEnded) {
		return fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "the feed begins anew; come back", err).After(time.Second)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if streams(x.R) {
		return a.stream(x, f)
	}
	return poll(x, f, from, wait)
}

// mayFollow lets services with an internal key in. It is asked again while a stream lasts. Client credentials with the scope "revocations"
// come in here too, once there is a grant that gives them.
func (a *API) mayFollow(x *web.Exchange) error {
	key, err := a.cfg.ServiceKeys.Check(x.R.Context(), x.Call, x.Tenant.ID, secret.NewText(x.R.Header.Get(keyHeader)), servicekey.ScopeFeed)
	if err != nil {
		return err
	}
	x.Call.Actor = audit.Actor{Kind: "service", ID: key.ID}
	return nil
}

// place reads where the caller stands. Nothing said is the beginning.
func place(r *http.Request) (from revocation.Head, wait time.Duration, err error) {
	q := r.URL.Query()
	from.Stream = q.Get("stream")
	if len(from.Stream) > maxStream {
		return from, 0, invalid("stream")
	}
	if text := q.Get("after"); text != "" {
		if from.Seq, err = strconv.ParseInt(text, 10, 64); err != nil || from.Seq < 0 {
			return from, 0, invalid("after")
		}
	}
	wait = maxWait
	if text := q.Get("wait_s"); text != "" {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return from, 0, invalid("wait_s")
		}
		wait = min(time.Duration(n)*time.Second, maxWait)
	}
	return from, wait, nil
}

func invalid(name string) error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "the parameter "+name+" has the wrong form").
		WithFields(fault.Field{Name: name, Message: "has the wrong form"})
}

func streams(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/event-stream")
}

// stream sends batches until the caller leaves, is too slow, loses its key, or the feed ends.
func (a *API) stream(x *web.Exchange, f *revocation.Follower) error {
	checked := a.cfg.Now() // before the caller hears anything
	s := x.Stream("text/event-stream", patience)
	for {
		b, err := f.Next(x.R.Context())
		if errors.Is(err, revocation.ErrEnded) {
			_ = s.Send(ended)
		}
		if err != nil {
			return nil //nolint:nilerr // the answer has begun: nothing can be told any more
		}
		if err := s.Send("id: ", strconv.FormatInt(b.To, 10), "\nevent: batch\ndata: ", b.Text, "\n\n"); err != nil {
			return nil //nolint:nilerr // the reader is gone
		}
		if now := a.cfg.Now(); now.Sub(checked) >= checkEvery {
			checked = now
			if err := a.mayFollow(x); err != nil && fault.From(err).Kind != fault.Unavailable {
				return nil // the answer has begun: nothing can be told any more
			}
		}
	}
}

type polled struct {
	Batches []string `json:"batches"`
}

// poll answers as soon as there is anything new, else with a sign of life when the caller has waited enough.
func poll(x *web.Exchange, f *revocation.Follower, from revocation.Head, wait time.Duration) error {
	x.Linger()
	until, cancel := context.WithTimeout(x.R.Context(), wait)
	defer cancel()
	out := polled{Batches: []string{}}
	for {
		b, err := f.Next(until)
		if err != nil {
			break
		}
		out.Batches = []string{b.Text} // a later one says all that a sign of life said
		if b.From != b.To || from.Stream == "" || b.From != from.Seq {
			break
		}
	}
	return x.JSON(http.StatusOK, out)
}
