package main

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

type secretReader struct {
	resolver *secretref.Resolver
	faults   *faultList
	dev      bool
}

// resolveSecrets walks every setting and reads the references.
func resolveSecrets(ctx context.Context, v reflect.Value, path string, r *secretReader) {
	switch at := v.Addr().Interface().(type) {
	case *Ref:
		r.ref(ctx, at, path)
		return
	case *SecretURL:
		r.url(ctx, at, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, s := range settings(v.Type()) {
			resolveSecrets(ctx, v.FieldByIndex(s.Index), join(path, s.Name), r)
		}
	case reflect.Slice:
		for i := range v.Len() {
			resolveSecrets(ctx, v.Index(i), fmt.Sprintf("%s[%d]", path, i), r)
		}
	}
}

func (r *secretReader) ref(ctx context.Context, ref *Ref, path string) {
	if !ref.IsSet() {
		return
	}
	value, err := r.resolver.Resolve(ctx, ref.Text)
	if err != nil {
		r.faults.add(path, "%s", err)
		return
	}
	ref.Value = value
}

// url takes a URL or a reference to one. A password in a file is refused: files are copied, committed and backed up.
func (r *secretReader) url(ctx context.Context, u *SecretURL, path string) {
	if !u.IsSet() {
		return
	}
	if r.resolver.Is(u.Text) {
		ref := Ref{Text: u.Text}
		r.ref(ctx, &ref, path)
		u.Value = ref.Value
		return
	}
	u.Value = secret.NewText(u.Text)
	parsed, err := url.Parse(u.Text)
	if err != nil {
		r.faults.add(path, "is not a URL")
		return
	}
	_, hasPassword := parsed.User.Password()
	inQuery := parsed.Query().Has("password")
	if fromEnv := strings.HasPrefix(r.faults.place(path), envPrefix); (hasPassword || inQuery) && !fromEnv && !r.dev {
		r.faults.add(path, "has a password in it: give the URL by reference (%s)", strings.Join(r.resolver.Known(), ", "))
	}
}
