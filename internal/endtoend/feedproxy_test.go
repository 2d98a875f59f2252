package endtoend

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// wire is a TCP proxy that can be cut, as a network can: silently, with every connection standing.
type wire struct {
	l net.Listener

	mu    sync.Mutex
	to    string
	cut   chan struct{} // closed while the wire is whole; open while it is cut
	conns []net.Conn
}

// newWire gives a wire to a server's public listener; URL is its near end.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	do(t, err)
	w := &wire{l: l, cut: make(chan struct{})}
	close(w.cut)
	w.lead(t, to)
	go w.run()
	t.Cleanup(func() { w.mend(); _ = l.Close(); w.reset() })
	return w
}

func (w *wire) URL() string { return "http://" + w.l.Addr().String() }

// lead makes new connections go to another server.
func (w *wire) lead(t *testing.T, to string) {
	t.Helper()
	u, err := url.Parse(to)
	do(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = net.JoinHostPort("127.0.0.1", u.Port())
}

// sever lets nothing through any more; nobody is told.
func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = make(chan struct{})
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.cut:
	default:
		close(w.cut)
	}
}

// reset closes what stands.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func (w *wire) whole() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

func (w *wire) run() {
	for {
		near, err := w.l.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		to := w.to
		w.conns = append(w.conns, near)
		w.mu.Unlock()
		go func() {
			<-w.whole()
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, far)
			w.mu.Unlock()
			go w.copy(far, near)
			w.copy(near, far)
		}()
	}
}

func (w *wire) copy(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		<-w.whole()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
