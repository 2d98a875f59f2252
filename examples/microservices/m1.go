package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// m1 is the service that calls others. Its token is made when it starts and again before it expires; it is shared by all of its calls.
type m1 struct {
	g   *gatehouse
	now func() time.Time

	mu    sync.Mutex
	token string
	jti   string
	renew time.Time
}

// tokenLife is short: a token that leaks is of use for an hour, and a new one is one call away.
const tokenLife = time.Hour

// bearer gives the token that goes into the Authorization header.
func (s *m1) bearer(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.token == "" || now.After(s.renew) {
		var made struct {
			Token string `json:"token"`
			JTI   string `json:"jti"`
		}
		// The server adds source: microservice, by which the others know a service.
		ask := map[string]any{"name": "m1", "audience": []string{m2Name, s.g.ClientID}, "ttl_s": int(tokenLife / time.Second)}
		if err := s.g.post(ctx, "/internal/service-tokens", map[string]string{"X-Internal-Api-Key": s.g.Key}, ask, &made); err != nil {
			return "", err
		}
		s.token, s.jti, s.renew = made.Token, made.JTI, now.Add(tokenLife*2/3)
	}
	return s.token, nil
}

// revoke ends the token, as an operator does with "gatehouse service-token revoke" when it may have leaked.
func (s *m1) revoke(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.g.URL+"/internal/service-tokens/"+s.jti, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("X-Internal-Api-Key", s.g.Key)
	s.token = "" // the next call asks for another
	return s.g.send(r, nil)
}
