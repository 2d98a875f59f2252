package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
)

// doors are the open listeners.
type doors struct {
	public []net.Listener // with dev both loopbacks, else one
	admin  net.Listener
	url    string // of the public one
	secure bool
}

func listen(ctx context.Context, cfg *Config, dev bool) (*doors, error) {
	d := &doors{secure: cfg.Listen.TLSCert.IsSet()}
	var lc net.ListenConfig
	main, err := lc.Listen(ctx, "tcp", cfg.Listen.Public)
	if err != nil {
		return nil, fmt.Errorf("listen.public: %w", err)
	}
	d.public = append(d.public, main)
	if dev {
		d.addOtherLoopback(ctx, main)
	}
	if d.admin, err = lc.Listen(ctx, "tcp", cfg.Listen.Admin); err != nil {
		d.close()
		return nil, fmt.Errorf("listen.admin: %w", err)
	}
	if d.secure {
		if err := d.secureWith(cfg); err != nil {
			d.close()
			return nil, err
		}
	}
	d.url = d.baseURL(cfg, dev)
	return d, nil
}

// addOtherLoopback listens on the same port of the other loopback: browsers turn "localhost" into either. A machine without IPv6 has one.
func (d *doors) addOtherLoopback(ctx context.Context, first net.Listener) {
	host, port, _ := net.SplitHostPort(first.Addr().String())
	other := "::1"
	if host == "::1" {
		other = "127.0.0.1"
	}
	var lc net.ListenConfig
	if l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(other, port)); err == nil {
		d.public = append(d.public, l)
	}
}

func (d *doors) secureWith(cfg *Config) error {
	cert, err := tls.X509KeyPair([]byte(cfg.Listen.TLSCert.Value.Reveal()), []byte(cfg.Listen.TLSKey.Value.Reveal()))
	if err != nil {
		return fmt.Errorf("listen.tls_cert: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	for i, l := range d.public {
		d.public[i] = tls.NewListener(l, c)
	}
	if host, _, _ := net.SplitHostPort(d.admin.Addr().String()); !isLoopback(host) {
		d.admin = tls.NewListener(d.admin, c)
	}
	return nil
}

// baseURL is what people type. With dev it is a name, because passkeys and cookies want one.
func (d *doors) baseURL(cfg *Config, dev bool) string {
	switch port := strconv.Itoa(d.public[0].Addr().(*net.TCPAddr).Port); {
	case cfg.Listen.PublicURL != "":
		return cfg.Listen.PublicURL
	case dev && d.secure:
		return "https://localhost:" + port
	case dev:
		return "http://localhost:" + port
	case d.secure:
		return "https://" + d.public[0].Addr().String()
	}
	return "http://" + d.public[0].Addr().String()
}

func (d *doors) adminURL() string {
	if _, plain := d.admin.(*net.TCPListener); !plain {
		return "https://" + d.admin.Addr().String()
	}
	return "http://" + d.admin.Addr().String()
}

// adminPort is the address behind the admin URL, for its Host check.
func (d *doors) adminPort() string { return d.admin.Addr().String() }

func (d *doors) close() {
	for _, l := range d.public {
		_ = l.Close()
	}
	if d.admin != nil {
		_ = d.admin.Close()
	}
}
