package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// scene is one call: who calls what, and what must come of it.
type scene struct {
	who, url, token string
	want            int
}

// tell plays the story and fails when a service answers what it should not.
func (g *gatehouse) tell(ctx context.Context, out io.Writer, service *m1, m2, forum string) error {
	token, err := service.bearer(ctx)
	if err != nil {
		return fmt.Errorf("a token for M1: %w", err)
	}
	email := fmt.Sprintf("ada-%d@example.com", time.Now().UnixNano())
	ada, err := g.logIn(ctx, email, "an evening walk in the rain")
	if err != nil {
		return fmt.Errorf("a person's login: %w", err)
	}
	revoked := scene{"M1", m2 + "/reindex", token, http.StatusUnauthorized}
	for _, s := range []scene{
		{"M1", m2 + "/reindex", token, http.StatusOK},
		{"Ada", m2 + "/reindex", ada, http.StatusUnauthorized},
		{"nobody", m2 + "/reindex", "", http.StatusUnauthorized},
		{"Ada", forum + "/like-comment", ada, http.StatusOK},
		{"M1", forum + "/like-comment", token, http.StatusOK},
		{"nobody", forum + "/like-comment", "", http.StatusUnauthorized},
	} {
		if err := g.act(ctx, out, s); err != nil {
			return err
		}
	}
	if err := service.revoke(ctx); err != nil {
		return fmt.Errorf("revoking M1's token: %w", err)
	}
	took, err := g.heard(ctx, revoked)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "        M1's token is revoked; M2 knew after %d ms\n", took.Milliseconds())
	return g.act(ctx, out, revoked)
}

// heard waits for a call to be answered as it must be and says how long that took.
func (g *gatehouse) heard(ctx context.Context, s scene) (time.Duration, error) {
	for began := time.Now(); ; {
		status, _, err := g.call(ctx, s)
		took := time.Since(began)
		switch {
		case err != nil:
			return took, err
		case status == s.want:
			return took, nil
		case took > 10*time.Second:
			return took, errors.New("M2 does not hear of the revocation")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (g *gatehouse) act(ctx context.Context, out io.Writer, s scene) error {
	status, said, err := g.call(ctx, s)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%-7s POST %-14s %d  %s\n", s.who, s.url[strings.LastIndexByte(s.url, '/'):], status, said)
	if status != s.want {
		return fmt.Errorf("%s was answered %d at %s, and %d was right", s.who, status, s.url, s.want)
	}
	return nil
}

// call gives the status and what was said: the answer, or the reason of a refusal.
func (g *gatehouse) call(ctx context.Context, s scene) (status int, said string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := g.HTTP.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return 0, "", err
	}
	var refusal struct{ Reason string }
	if json.Unmarshal(body, &refusal) == nil && refusal.Reason != "" {
		return res.StatusCode, refusal.Reason, nil
	}
	return res.StatusCode, string(body), nil
}
