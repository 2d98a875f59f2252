package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// The steps of a newcomer, each acknowledged.
const (
	unknown = iota
	registered
	mailed
	proved
	loggedIn
	recognised
	refreshed
	loggedOutAgain
)

// newcomer goes through the whole story a step at a time, on whatever server there is. A step that got no answer is done again, as people
// do: then it may find its own work done.
type newcomer struct {
	v     *drill.Visitor
	email string
	link  string
	pair  [2]string
	step  int
	again bool // this step was sent before and got no answer
}

func arrive(s *server.Server) *newcomer {
	return &newcomer{v: s.Visitor(), email: drill.Fresh("newcomer")}
}

// next takes one step. answered is false when the call got no answer at all; the error tells of an honest call that was refused.
func (n *newcomer) next(ctx context.Context, s *server.Server) (answered bool, err error) {
	n.v.Target = &s.Target
	step := n.step
	r, err := n.take(ctx, s)
	if err != nil {
		n.again = true
		return false, nil //nolint:nilerr // no answer is what a kill looks like
	}
	switch done := n.done(r); {
	case !done && step == registered && r.Status == 200: // the mail is on its way
		<-time.After(20 * time.Millisecond)
	case !done:
		return true, fmt.Errorf("step %d of a newcomer (sent before: %v) was refused: %s", step, n.again, r)
	default:
		n.step, n.again = step+1, false
	}
	return true, nil
}

func (n *newcomer) take(ctx context.Context, s *server.Server) (*drill.Reply, error) {
	switch n.step {
	case unknown:
		return n.v.Post(ctx, "/register", map[string]string{"email": n.email, "password": drill.Password, "client_id": s.ClientID})
	case registered:
		return n.v.Get(ctx, "/dev/mailbox?to="+url.QueryEscape(n.email))
	case mailed:
		return n.prove(ctx, s)
	case proved:
		return n.logIn(ctx, s)
	case loggedIn:
		return s.Me(ctx, n.pair[0])
	case recognised:
		return s.Refresh(ctx, n.pair[0], n.pair[1])
	default:
		return s.Logout(ctx, n.pair[0])
	}
}

// done looks at the answer to the present step and keeps what it gives.
func (n *newcomer) done(r *drill.Reply) bool {
	switch n.step {
	case unknown:
		return r.Status == 202
	case registered:
		var mails []drill.Mail
		if json.Unmarshal(r.Body, &mails) != nil || len(mails) == 0 || len(mails[0].Links) == 0 {
			return false
		}
		n.link = drill.Path(mails[0].Links[0])
		return true
	case mailed:
		return r.Status < 400 || n.again && r.Status == 410
	case proved, recognised:
		n.pair = [2]string{r.Text("access_token"), r.Text("refresh_token")}
	}
	return r.Status == 200
}

// prove opens the link. It brings the password, because the cookie of an answer that never came is not there to tell the browser.
func (n *newcomer) prove(ctx context.Context, s *server.Server) (*drill.Reply, error) {
	n.v.Target = &s.Target
	return n.v.Post(ctx, n.link, map[string]string{"password": drill.Password})
}

func (n *newcomer) logIn(ctx context.Context, s *server.Server) (*drill.Reply, error) {
	return s.Visitor().With("X-Token-Mode", "bearer").
		Post(ctx, "/login/password", map[string]string{"email": n.email, "password": drill.Password, "client_id": s.ClientID})
}
