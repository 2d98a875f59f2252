package loginapi

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// file is a prebuilt body with its header values, so that serving it allocates next to nothing.
type file struct {
	body   []byte
	etag   []string
	length []string
}

// fileLife is the cache life of JWKS and of the document. It is the time a new key is announced before it signs.
var fileLife = []string{"public, max-age=300"}

var fileType = []string{"application/json"}

func newFile(body []byte) file {
	sum := sha256.Sum256(body)
	return file{body: body, etag: []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, length: []string{strconv.Itoa(len(body))}}
}

// serve answers 304 when the caller has this version (RFC 9110 section 13.1.2).
func (f *file) serve(x *web.Exchange) error {
	h := x.W.Header()
	h["Cache-Control"], h["Etag"] = fileLife, f.etag
	if has(x.R.Header.Get("If-None-Match"), f.etag[0]) {
		x.W.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"], h["Content-Length"] = fileType, f.length
	x.W.WriteHeader(http.StatusOK)
	_, _ = x.W.Write(f.body)
	return nil
}

func has(header, etag string) bool {
	for header != "" {
		var one string
		one, header, _ = strings.Cut(header, ",")
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == etag || one == "*" {
			return true
		}
	}
	return false
}

func (a *API) openapi(x *web.Exchange) error { return a.doc.serve(x) }

func (a *API) jwks(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	body := a.cfg.Keys.JWKS(x.Tenant.ID)
	if len(body) == 0 {
		return fault.New(fault.Unavailable, fault.ReasonUnavailable, "the keys are being made")
	}
	if known, ok := a.keys.Load(x.Tenant.ID); ok && same(known.(*file).body, body) {
		return known.(*file).serve(x)
	}
	f := newFile(body)
	a.keys.Store(x.Tenant.ID, &f)
	return f.serve(x)
}

// same reports whether two slices are the same memory: the bytes are rebuilt whole when a key changes, never edited.
func same(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }
