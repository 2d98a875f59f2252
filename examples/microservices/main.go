// Command microservices shows services that trust each other, and one API for users and services, on Gatehouse: a service M1 that works for M2
// with a token of its own until that is revoked, M2 that serves services alone, and a forum whose /like-comment takes a person's login as well as
// M1's token. It owns three small programs and the story that plays on them; it does not own how tokens are made (the server does) or judged (package resource).
//
// Without -url it starts a development server of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/resource"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "microservices:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var g gatehouse
	flags := flag.NewFlagSet("microservices", flag.ContinueOnError)
	flags.StringVar(&g.URL, "url", "", "a running Gatehouse development server, which is its tenant's issuer; one is started when empty")
	flags.StringVar(&g.Key, "key", "", "with -url: its internal API key, of scopes service-tokens:write, revocations:read and tokens:verify (the ready line has one)")
	flags.StringVar(&g.ClientID, "client", "demo", "with -url: the client that people log in to")
	binary := flags.String("gatehouse", "", "the binary to start; built from source when empty")
	once := flags.Bool("once", false, "end after the story instead of waiting for more calls")
	if err := flags.Parse(args); err != nil {
		return err
	}
	g.HTTP = &http.Client{Timeout: 30 * time.Second}
	if g.URL == "" {
		_, _ = fmt.Fprintln(out, "starting a development server …")
		stop, err := g.start(ctx, *binary)
		if err != nil {
			return err
		}
		defer stop()
	}
	return g.play(ctx, out, *once)
}

// play starts the services, tells the story, and waits unless once.
func (g *gatehouse) play(ctx context.Context, out io.Writer, once bool) error {
	// First M1's token: a development server that is a second old makes its keys for it, and M2 does not ask for keys twice in a second.
	service := &m1{g: g, now: time.Now}
	if _, err := service.bearer(ctx); err != nil {
		return fmt.Errorf("a token for M1: %w", err)
	}
	feed, stop, err := g.follow(ctx)
	if err != nil {
		return fmt.Errorf("the feed of revocations: %w", err)
	}
	defer stop()
	m2Keys, err := resource.New(g.trust(m2Name, feed))
	if err != nil {
		return err
	}
	forumKeys, err := resource.New(g.trust(g.ClientID, feed)) // the audience of people's tokens is the client they logged in to
	if err != nil {
		return err
	}
	m2, err := listen(ctx, newM2(m2Keys))
	if err != nil {
		return err
	}
	defer m2.stop()
	forum, err := listen(ctx, newForum(forumKeys))
	if err != nil {
		return err
	}
	defer forum.stop()
	_, _ = fmt.Fprintf(out, "Gatehouse %s\nM2        %s\nforum     %s\n\n", g.URL, m2.url, forum.url)
	if err := g.tell(ctx, out, service, m2.url, forum.url); err != nil || once {
		return err
	}
	_, _ = fmt.Fprintln(out, "\nThe services listen on; end with Ctrl-C.")
	<-ctx.Done()
	return nil
}

// trust says whose tokens a service takes: this server's, made for this service, and none that were revoked.
func (g *gatehouse) trust(audience string, feed *resource.Feed) resource.Config {
	return resource.Config{Issuer: g.URL, Audience: audience, JWKSURL: g.keys(), HTTP: g.HTTP, Feed: feed}
}

// keys is where the public keys are. A development server tells its issuer as localhost, and not every resolver knows that name's other
// address: what services fetch comes from the one it listens on.
func (g *gatehouse) keys() string { return g.at("/.well-known/jwks.json") }

func (g *gatehouse) at(path string) string {
	return strings.Replace(g.URL, "localhost", "127.0.0.1", 1) + path
}

// follow hears of revocations until it is stopped. Services in one process share it; each process has its own.
func (g *gatehouse) follow(ctx context.Context) (feed *resource.Feed, stop func(), err error) {
	feed, err = resource.NewFeed(resource.FeedConfig{
		Issuer: g.URL, URL: g.at("/oauth2/revocations"), JWKSURL: g.keys(), HTTP: g.HTTP, APIKey: func() string { return g.Key },
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = feed.Run(ctx) }()
	stop = func() { cancel(); <-done }
	first, enough := context.WithTimeout(ctx, 20*time.Second)
	defer enough()
	if err := feed.Ready(first); err != nil {
		stop()
		return nil, nil, err
	}
	return feed, stop, nil
}

// listening is a server on a free port of the loopback.
type listening struct {
	url  string
	stop func()
}

func listen(ctx context.Context, h http.Handler) (*listening, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	return &listening{url: "http://" + l.Addr().String(), stop: func() { _ = s.Close(); <-done }}, nil
}
