package supertokens

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// jwtEndpoints are the jwt recipe.
func (f *Face) jwtEndpoints() []endpoint {
	return []endpoint{{method: http.MethodPost, path: "/recipe/jwt", scope: onApp, handle: f.createJWT}}
}

// createJWT makes the token of a service. What its payload may not say is servicetoken's to know.
func (f *Face) createJWT(ctx context.Context, r *request) (any, error) {
	var algorithm string
	var validity json.Number
	static := true
	req := servicetoken.VendRequest{}
	for _, read := range []func() error{
		func() (err error) { algorithm, err = r.text("algorithm"); return err },
		func() (err error) { req.Issuer, err = r.text("jwksDomain"); return err },
		func() (err error) { req.Payload, err = r.object("payload"); return err },
		func() (err error) { validity, err = r.number("validity"); return err },
		func() (err error) { static, err = r.maybeFlag("useStaticSigningKey"); return err },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	if !strings.EqualFold(algorithm, "RS256") {
		return status("UNSUPPORTED_ALGORITHM_ERROR"), nil
	}
	if req.Key = token.Static; !static {
		req.Key = token.Rotating
	}
	var err error
	if req.Validity, err = validityOf(validity); err != nil {
		return nil, err
	}
	jwt, err := f.cfg.Services.Vend(ctx, r.call, r.app, req)
	if err != nil {
		return nil, err
	}
	return ok(reply{"jwt": jwt}), nil
}

// validityOf reads seconds; a fraction is cut off.
func validityOf(n json.Number) (int64, error) {
	seconds, err := n.Float64()
	switch {
	case err != nil:
		return 0, badField("validity")
	case seconds < 1:
		return 0, bad("validity must be greater than or equal to 1")
	case seconds > float64(servicetoken.MaxSeconds):
		return 0, bad("validity must not be longer than a hundred years")
	}
	return int64(seconds), nil
}
