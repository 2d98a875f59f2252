package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	return nil
}

func (g *gatehouse) act(ctx context.Context, out io.Writer, s scene) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, http.NoBody)
	if err != nil {
		return err
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := g.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return err
	}
	var refusal struct{ Reason string }
	if json.Unmarshal(said, &refusal) == nil && refusal.Reason != "" {
		said = []byte(refusal.Reason)
	}
	_, _ = fmt.Fprintf(out, "%-7s POST %-14s %d  %s\n", s.who, r.URL.Path, res.StatusCode, said)
	if res.StatusCode != s.want {
		return fmt.Errorf("%s was answered %d at %s, and %d was right", s.who, res.StatusCode, r.URL.Path, s.want)
	}
	return nil
}
