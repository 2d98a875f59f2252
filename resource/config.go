package resource

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// Config of a Verifier. Issuer, one of Audience and AnyAudience, and one of JWKSURL and Keys are required.
type Config struct {
	// Issuer is the tenant's issuer, compared exactly with iss (RFC 7519 section 4.1.1).
	Issuer string
	// ServiceIssuer is accepted beside Issuer, in services' tokens alone: SuperTokens' jwt recipe writes the API domain there.
	ServiceIssuer string

	// Audience is this API's name, which must be among a token's aud (RFC 9068 section 4): a token for another API would else work here.
	Audience string
	// AnyAudience accepts tokens for every audience and for none.
	AnyAudience bool
	// ServiceWithoutAudience accepts services' tokens that have no aud at all; SuperTokens' jwt recipe never writes one. A token that has
	// one must still name Audience.
	ServiceWithoutAudience bool

	// JWKSURL is where the public keys are (RFC 7517): https, or http on a loopback host.
	JWKSURL string
	// AllowHTTP lets JWKSURL be plain http: whoever can write to that connection can make tokens.
	AllowHTTP bool
	// Keys are pinned public keys: one PEM block (SPKI), a JWK or a JWKS. Without JWKSURL there is no I/O at all, and no rotation: pin
	// static keys. With it they are what the verifier starts with, until the first fetch.
	Keys []byte
	// HTTP fetches the keys and introspects; http.DefaultClient when nil. Its cookies and its rule for redirects are not used.
	HTTP *http.Client
	// StaleFor is how long keys are used while they cannot be fetched again; 24 h when zero.
	StaleFor time.Duration

	// Introspection takes opaque tokens as well; nil: JWTs alone.
	Introspection *Introspection

	// Feed tells of revocations; nil: tokens live until they expire.
	Feed *Feed

	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Leeway is for the difference of clocks, in every instant of a token; 2 s when zero, at most 1 min; negative is none.
	Leeway time.Duration
	// CacheSize is how many accepted tokens are remembered (by their SHA-256, some kB each); 8192 when zero, negative is none.
	CacheSize int
	// AcceptBound accepts tokens that are bound to a key of their holder (cnf.jkt). The caller must then check the proof of each request
	// (RFC 9449 section 7.1) against Token.Thumbprint: without that check a stolen token works again.
	AcceptBound bool
	// Proofs makes the middlewares check those proofs by themselves; Verify, which sees no request, still refuses bound tokens unless
	// AcceptBound is set. nil checks none.
	Proofs *Proofs

	// Cookie names the cookie from which middlewares take a user's token when no Authorization header brings one; "" reads none.
	// Requests by cookie that change something must come from this origin or a trusted one, as browsers tell.
	Cookie string
	// TrustedOrigins may send such requests: "https://app.example.com".
	TrustedOrigins []string
	// Realm stands in challenges; Audience, or "api", when empty.
	Realm string
	// OnRefusal writes the answer to a refused request instead of the middleware; status and body are its to write, the challenge is set.
	OnRefusal func(http.ResponseWriter, *http.Request, *Error)
}

// Defaults and bounds.
const (
	defaultLeeway = 2 * time.Second
	maxLeeway     = time.Minute
	defaultStale  = 24 * time.Hour
	defaultCache  = 8192
)

func (c Config) filled() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Leeway == 0 {
		c.Leeway = defaultLeeway
	}
	c.Leeway = max(c.Leeway, 0)
	if c.StaleFor == 0 {
		c.StaleFor = defaultStale
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCache
	}
	if c.Realm == "" {
		c.Realm = c.Audience
	}
	if !quotable(c.Realm) {
		c.Realm = "api"
	}
	return c
}

// validate names all faults at once.
func (c Config) validate() error {
	var faults []error
	add := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New("resource: "+text))
		}
	}
	add(c.Issuer == "", "Issuer is missing")
	add(c.Audience == "" && !c.AnyAudience, "Audience is missing (AnyAudience accepts tokens for other APIs too)")
	add(c.Audience != "" && c.AnyAudience, "Audience and AnyAudience exclude each other")
	add(c.JWKSURL == "" && len(c.Keys) == 0, "JWKSURL or Keys is missing")
	add(c.Leeway > maxLeeway, "Leeway is more than a minute")
	add(c.Proofs != nil && !c.Proofs.valid(), "Proofs.Origin is not an origin, such as https://api.example.com")
	add(c.Proofs != nil && c.AcceptBound, "Proofs and AcceptBound exclude each other")
	if c.Introspection != nil {
		why := c.Introspection.fault(c.AllowHTTP)
		add(why != "", why)
	}
	add(c.StaleFor < 0, "StaleFor is negative")
	if c.JWKSURL != "" {
		add(!c.keysURL(), "JWKSURL is not an https URL (http is for loopback hosts, or AllowHTTP)")
		add(isPEM(c.Keys), "a pinned PEM key and JWKSURL exclude each other")
	}
	return errors.Join(faults...)
}

func (c Config) keysURL() bool {
	u, err := url.Parse(c.JWKSURL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && (c.AllowHTTP || loopback(u.Hostname()))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

func isPEM(keys []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(keys), []byte("-----BEGIN")) }

// quotable reports whether s may stand in a quoted-string as it is (RFC 9110 section 5.6.4).
func quotable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}

// parseKeys reads pinned keys in any of their forms.
func parseKeys(data []byte) (jose.Keys, error) {
	data = bytes.TrimSpace(data)
	if isPEM(data) {
		key, err := jose.ParsePEM(data)
		if err != nil {
			return nil, errors.New("resource: Keys: " + err.Error()) // not wrapped: its type is ours
		}
		return jose.Keys{"": key}, nil
	}
	if key, err := jose.ParseJWK(data); err == nil {
		return jose.Keys{key.KID(): key}, nil
	}
	keys, err := jose.ParseJWKS(data)
	if err != nil {
		return nil, errors.New("resource: Keys: " + err.Error()) // not wrapped: its type is ours
	}
	if len(keys) == 0 {
		return nil, errors.New("resource: Keys: no key for RS256, ES256 or EdDSA with a kid")
	}
	return keys, nil
}
