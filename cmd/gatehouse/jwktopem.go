package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// jwkToPEMCmd turns a public key into the form that libraries without JWKS want. It reads no network: curl fetches a JWKS.
type jwkToPEMCmd struct {
	File string `arg:"" optional:"" default:"-" help:"File with a JWK or a JWKS; - is standard input."`
	KID  string `name:"kid" help:"Which key of a JWKS, when there are several."`
}

const maxKeyFile = 256 << 10

// Run prints the PEM.
func (c *jwkToPEMCmd) Run(w world) error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	if raw, err = pickKey(raw, c.KID); err != nil {
		return err
	}
	text, doubts, err := jose.PEM(raw)
	if err != nil {
		return err
	}
	for _, doubt := range doubts {
		_, _ = fmt.Fprintf(w.Stderr, "gatehouse: note: %s\n", doubt)
	}
	_, err = w.Stdout.Write(text)
	return err
}

func (c *jwkToPEMCmd) read() ([]byte, error) {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err == nil && len(raw) > maxKeyFile {
		err = errors.New("that is too long for a key set")
	}
	return bytes.TrimSpace(raw), err
}

// pickKey gives the one key meant: the JWK itself, the only key of a set, or the one of this kid. A set that shows a private key is refused
// whole: whoever published it must hear of it.
func pickKey(raw []byte, kid string) ([]byte, error) {
	type head struct {
		KID string          `json:"kid"`
		D   json.RawMessage `json:"d"`
		K   json.RawMessage `json:"k"`
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil {
		return nil, errors.New("that is no JSON object")
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{raw}
	}
	var found []json.RawMessage
	var kids []string
	for _, one := range set.Keys {
		var h head
		if json.Unmarshal(one, &h) != nil {
			return nil, errors.New("an entry of the key set is no key")
		}
		if h.D != nil || h.K != nil {
			return nil, errors.New("there are private parts in it: this key is no secret any more, replace it")
		}
		kids = append(kids, printable(h.KID))
		if kid == "" || h.KID == kid {
			found = append(found, one)
		}
	}
	slices.Sort(kids)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && kid != "":
		return nil, fmt.Errorf("no key of this kid; there are: %s", strings.Join(kids, ", "))
	case len(found) == 0:
		return nil, errors.New("there is no key in it")
	}
	return nil, fmt.Errorf("name one with --kid: %s", strings.Join(kids, ", "))
}
