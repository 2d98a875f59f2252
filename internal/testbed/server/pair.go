package server

import (
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Pair is two servers on one store behind one address that sends requests to each in turn. It is used as one server: what a client begins at
// one node it goes on with at the other.
type Pair struct {
	*Server // the first node under the address that both share
	Nodes   [2]*Server

	mu     sync.Mutex
	turn   int
	pinned map[string]int
	served map[string]*[2]int // by path: requests by node
}

// StartPair runs two servers until the test ends. o.Store must be one that nodes can share, and o.Config have a tenant with slug main and
// without issuer: its issuer becomes the shared address.
func StartPair(t testing.TB, o Options) *Pair {
	t.Helper()
	p := &Pair{served: map[string]*[2]int{}}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: p.rewrite}) // its address is in the configuration of the nodes
	t.Cleanup(front.Close)
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	shared := "http://localhost:" + port
	if !strings.Contains(o.Config, "  slug: main\n") {
		t.Fatal("no tenant with slug main")
	}
	o.Config = strings.Replace(o.Config, "  slug: main\n", "  slug: main\n  issuer: "+shared+"\n", 1)
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	for i := range p.Nodes {
		p.Nodes[i] = Start(t, o)
	}
	front.Start() // only now, so that what it serves reads nodes that nobody writes any more
	one := *p.Nodes[0]
	one.URL = shared
	p.Server = &one
	return p
}

// rewrite leaves the Host as the client sent it: addresses that a proof or an issuer names are the shared ones.
func (p *Pair) rewrite(r *httputil.ProxyRequest) {
	to, err := url.Parse(p.Nodes[p.next(r.In.URL.Path)].URL)
	if err != nil {
		return // the proxy then answers 502
	}
	to.Host = net.JoinHostPort("127.0.0.1", to.Port())
	r.SetURL(to)
	r.Out.Host = r.In.Host
}

func (p *Pair) next(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.pinned[path]
	if !ok {
		i, p.turn = p.turn, 1-p.turn
	}
	if p.served[path] == nil {
		p.served[path] = &[2]int{}
	}
	p.served[path][i]++
	return i
}

// Pin sends requests for these paths to that node, and all others in turn; nil lets go.
func (p *Pair) Pin(paths map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinned = paths
}

// Served counts the requests for some paths together by node.
func (p *Pair) Served(paths ...string) (n [2]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, path := range paths {
		if one := p.served[path]; one != nil {
			n[0], n[1] = n[0]+one[0], n[1]+one[1]
		}
	}
	return n
}
