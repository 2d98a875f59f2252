package testbed

import "net"

// onPort starts a server on its port, or on a free one where it has none yet, which it then keeps. A free port may be taken before the
// server has it, and the children of a killed server need a moment to let go of theirs: hence more tries than one.
func onPort(port *int, launch func(port int) error) (err error) {
	for range 5 {
		p := *port
		if p == 0 {
			if p, err = freePort(); err != nil {
				return err
			}
		}
		if err = launch(p); err == nil {
			*port = p
			return nil
		}
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
