package supertokens

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// generalEndpoints are those of no recipe.
func (f *Face) generalEndpoints() []endpoint {
	list := []endpoint{
		{method: http.MethodGet, path: "/", scope: onApp, open: true, handle: f.hello},
		{method: http.MethodGet, path: "/apiversion", scope: onTenant, handle: f.apiVersion},
		{method: http.MethodGet, path: "/.well-known/jwks.json", scope: onApp, open: true, handle: f.jwks},
		{method: http.MethodGet, path: "/recipe/jwt/jwks", scope: onApp, handle: f.oldJWKS},
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		list = append(list, endpoint{method: method, path: "/hello", scope: onApp, open: true, handle: f.hello})
	}
	return list
}

// hello says that the server and its store are up.
func (f *Face) hello(ctx context.Context, _ *request) (any, error) {
	if err := f.cfg.Ping(ctx); err != nil {
		return nil, fault.Wrap(fault.Internal, fault.ReasonInternal, "", err)
	}
	return plain("Hello"), nil
}

// apiVersion is asked before anything else, without a version.
func (f *Face) apiVersion(context.Context, *request) (any, error) {
	list := make([]string, 0, len(versions))
	for _, v := range versions {
		list = append(list, v.String())
	}
	return reply{"versions": list}, nil
}

// maxKeyLife bounds how long a JWKS may be cached, so that a key withdrawn in an emergency does not live on in a proxy; the libraries keep it
// four hours whatever we say.
const maxKeyLife = 4 * time.Hour

// jwks is the app's RSA keys, rotating ones newest first, then static ones. Keys of other kinds are left out: the Go library panics on one.
func (f *Face) jwks(_ context.Context, r *request) (any, error) {
	body, next := f.cfg.Keys.RSA(r.app)
	if len(body) == 0 {
		return nil, fault.New(fault.Unavailable, fault.ReasonUnavailable, "the keys are being made").After(time.Second)
	}
	left := maxKeyLife
	if !next.IsZero() {
		left = min(left, next.Sub(r.call.At))
	}
	return ready{body: body, cache: "max-age=" + strconv.FormatInt(max(1, int64(left/time.Second)), 10) + ", must-revalidate"}, nil
}

// oldJWKS is jwks with a status, for those with a key.
func (f *Face) oldJWKS(ctx context.Context, r *request) (any, error) {
	got, err := f.jwks(ctx, r)
	if err != nil {
		return nil, err
	}
	set := got.(ready)
	return ready{body: append([]byte(`{"status":"OK",`), bytes.TrimPrefix(set.body, []byte(`{`))...), cache: set.cache}, nil
}
