package supertokens

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// jwtEndpoints are the jwt recipe.
func (f *Face) jwtEndpoints() []endpoint {
	return []endpoint{{method: http.MethodPost, path: "/recipe/jwt", scope: onApp, handle: f.createJWT}}
}

// maxValidity is the longest life of a JWT: the hundred years that the libraries ask for when nothing is said, and a day for their leap years.
const maxValidity = (100*365 + 26) * 24 * time.Hour

// createJWT makes the token of a service.
func (f *Face) createJWT(ctx context.Context, r *request) (any, error) {
	var algorithm string
	var validity json.Number
	req := VendRequest{}
	for _, read := range []func() error{
		func() (err error) { algorithm, err = r.text("algorithm"); return err },
		func() (err error) { req.Issuer, err = r.text("jwksDomain"); return err },
		func() (err error) { req.Payload, err = r.object("payload"); return err },
		func() (err error) { validity, err = r.number("validity"); return err },
		func() (err error) { req.Static, err = r.maybeFlag("useStaticSigningKey", true); return err },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	if !strings.EqualFold(algorithm, "RS256") {
		return status("UNSUPPORTED_ALGORITHM_ERROR"), nil
	}
	var err error
	if req.Validity, err = validityOf(validity); err != nil {
		return nil, err
	}
	jwt, err := f.cfg.Vendor.Vend(ctx, r.call, r.app, req)
	if err != nil {
		return nil, err
	}
	return ok(reply{"jwt": jwt}), nil
}

// validityOf reads seconds. A fraction is cut off; what a hundred years do not hold is refused.
func validityOf(n json.Number) (time.Duration, error) {
	seconds, err := n.Float64()
	switch {
	case err != nil:
		return 0, badField("validity")
	case seconds < 1:
		return 0, bad("validity must be greater than or equal to 1")
	case seconds > maxValidity.Seconds():
		return 0, bad("validity must not be longer than a hundred years")
	}
	return time.Duration(seconds) * time.Second, nil
}
