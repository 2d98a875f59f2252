package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// gatehouse is the server.
type gatehouse struct {
	URL      string `json:"url"`
	Key      string `json:"internal_api_key"`
	ClientID string `json:"client_id"`
	HTTP     *http.Client
}

// start runs a development server in a folder that goes with it. Its first line says where it is and how to call it.
func (g *gatehouse) start(ctx context.Context, binary string) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "microservices-")
	if err != nil {
		return nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	if binary == "" {
		binary = filepath.Join(dir, "gatehouse")
		build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/gatehouse-auth/gatehouse/cmd/gatehouse") // #nosec G204 -- our own
		if out, err := build.CombinedOutput(); err != nil {
			remove()
			return nil, fmt.Errorf("building the server: %w\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(ctx, binary, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", dir) // #nosec G204 -- named by whoever runs this
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		remove()
		return nil, err
	}
	lines := bufio.NewReader(out)
	ready, err := lines.ReadBytes('\n')
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		remove()
	}
	if err != nil || json.Unmarshal(ready, g) != nil {
		stop()
		return nil, fmt.Errorf("the server did not start:\n%s", &log)
	}
	return stop, nil
}

// post sends JSON to the server and reads its answer into into, unless that is nil.
func (g *gatehouse) post(ctx context.Context, path string, header map[string]string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return g.send(r, into)
}

func (g *gatehouse) send(r *http.Request, into any) error {
	res, err := g.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case res.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, res.Status)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

// logIn makes a person, proves the mailbox as they would from the mail, and gives their access token. It works with a development server,
// whose mailbox everybody may read.
func (g *gatehouse) logIn(ctx context.Context, email, password string) (string, error) {
	person := map[string]string{"email": email, "password": password, "client_id": g.ClientID}
	if err := g.post(ctx, "/register", nil, person, nil); err != nil {
		return "", err
	}
	link, err := g.mailed(ctx, email)
	if err != nil {
		return "", err
	}
	if err := g.post(ctx, link, nil, map[string]string{"password": password}, nil); err != nil {
		return "", err
	}
	var in struct {
		Token string `json:"access_token"`
	}
	err = g.post(ctx, "/login/password", map[string]string{"X-Token-Mode": "bearer"}, person, &in)
	return in.Token, err
}

// mailed waits for the mail with the link that proves the mailbox and gives the link's path.
func (g *gatehouse) mailed(ctx context.Context, email string) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/dev/mailbox?to="+url.QueryEscape(email), http.NoBody)
		if err != nil {
			return "", err
		}
		var mails []struct{ Links []string }
		if err := g.send(r, &mails); err != nil {
			return "", err
		}
		if len(mails) > 0 && len(mails[0].Links) > 0 {
			u, err := url.Parse(mails[0].Links[0])
			if err != nil {
				return "", err
			}
			return u.RequestURI(), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.New("no mail came")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
