package endtoend

import (
	"bytes"
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// places runs a story of other people's clients against one node on SQLite, and against two nodes on PostgreSQL that share an address.
func places(t *testing.T, story func(t *testing.T, o server.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, server.Options{}) })
	t.Run("two nodes on postgres", func(t *testing.T) { story(t, server.Options{Store: testbed.Postgres(t)}) })
}

// each runs a named story at all places.
func each(t *testing.T, name string, story func(t *testing.T, o server.Options)) {
	t.Run(name, func(t *testing.T) { places(t, story) })
}

// startAt starts what a place asks for: a node, or two where they can share the store. The pair is nil for one node.
func startAt(t *testing.T, o server.Options) (*server.Server, *server.Pair) {
	t.Helper()
	if o.Store == "" {
		return server.Start(t, o), nil
	}
	p := server.StartPair(t, o)
	return p.Server, p
}

// commanded gives what a command of an operator prints that runs beside the servers of a data folder, on their store.
func commanded(t *testing.T, data string, o server.Options, args ...string) []byte {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, server.Build(t, ""), append(args, "--dev", "--data", data)...)
	if c.Env = append(c.Environ(), o.Env...); o.Store != "" {
		c.Env = append(c.Env, "GATEHOUSE_STORE__URL="+o.Store)
	}
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("gatehouse %v: %v: %s", args, err, &said)
	}
	return out
}

// bothServed fails unless each node of a pair has answered at one of these paths.
func bothServed(t *testing.T, p *server.Pair, paths ...string) {
	t.Helper()
	if p == nil {
		return
	}
	if n := p.Served(paths...); n[0] == 0 || n[1] == 0 {
		t.Errorf("%v were served %d times by one node and %d by the other", paths, n[0], n[1])
	}
}
