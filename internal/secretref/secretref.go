// Package secretref owns reading secrets by reference: "env:NAME", "file:/path", and whatever scheme is registered beside them. It does
// not own what a secret is used for; only cmd imports it, so that no room below ever knows where a secret came from.
package secretref

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// MaxBytes bounds a secret file: a reference to a device or a log must not fill the memory.
const MaxBytes = 64 << 10

// Scheme reads the secret that the text behind the colon names. Its errors never contain the secret.
type Scheme func(ctx context.Context, name string) (string, error)

// Resolver reads references. The zero Resolver knows no scheme; New knows env and file.
type Resolver struct{ schemes map[string]Scheme }

// ErrNotReference says that a text is no reference. Its value is not repeated: it may be the secret itself.
var ErrNotReference = errors.New("must be a reference to a secret, not the secret itself")

// New makes a resolver of the schemes env and file.
func New() *Resolver {
	r := &Resolver{}
	r.Register("env", fromEnv)
	r.Register("file", fromFile)
	return r
}

// Register adds or replaces a scheme; a secrets manager comes in here.
func (r *Resolver) Register(name string, s Scheme) {
	if r.schemes == nil {
		r.schemes = map[string]Scheme{}
	}
	r.schemes[name] = s
}

// Known lists the schemes as they are written in a reference, sorted.
func (r *Resolver) Known() []string {
	var out []string
	for name := range r.schemes {
		out = append(out, name+":")
	}
	slices.Sort(out)
	return out
}

// Is reports whether text has the form of a reference this resolver can read.
func (r *Resolver) Is(text string) bool {
	scheme, name, ok := strings.Cut(text, ":")
	return ok && name != "" && r.schemes[scheme] != nil
}

// Resolve reads the secret. Surrounding white space is dropped, because files end in a newline; an empty secret is an error, or an unset
// variable would switch a defence off in silence.
func (r *Resolver) Resolve(ctx context.Context, ref string) (secret.Text, error) {
	if !r.Is(ref) {
		return secret.Text{}, fmt.Errorf("%w (%s)", ErrNotReference, strings.Join(r.Known(), ", "))
	}
	scheme, name, _ := strings.Cut(ref, ":")
	value, err := r.schemes[scheme](ctx, name)
	if err != nil {
		return secret.Text{}, err
	}
	if value = strings.TrimSpace(value); value == "" {
		return secret.Text{}, fmt.Errorf("%s:%s is empty", scheme, name)
	}
	return secret.NewText(value), nil
}

func fromEnv(_ context.Context, name string) (string, error) {
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
	return value, nil
}

func fromFile(_ context.Context, path string) (string, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return "", err // names the path and the cause only
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return "", err
	}
	if len(raw) > MaxBytes {
		return "", fmt.Errorf("%s is longer than %d bytes", path, MaxBytes)
	}
	return string(raw), nil
}
