package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// serviceTokenCmd manages the tokens by which services trust each other. The running server asks the store, and the revocation feed tells
// verifiers, so what is done here holds at once.
type serviceTokenCmd struct {
	Create serviceTokenCreateCmd `cmd:"" help:"Make a token and show it, this once."`
	List   serviceTokenListCmd   `cmd:"" help:"List tokens, newest first; revoked ones until they have been expired for 30 days."`
	Revoke serviceTokenRevokeCmd `cmd:"" help:"Revoke a token by its id or jti."`
}

type serviceTokenCreateCmd struct {
	opsFlags
	Tenant   string   `help:"Tenant (slug or id); needed when there are several."`
	Name     string   `required:"" help:"Name of the service; the claim sub is \"service:\" and it."`
	Claim    []string `sep:"none" placeholder:"K=V" help:"A claim with a text, or k:=json with any JSON value. Repeatable."`
	TTL      string   `name:"ttl" default:"24h" help:"Life: 90s, 30m, 24h, 30d, 100y; at most 100y."`
	Audience []string `sep:"none" placeholder:"AUD" help:"The claim aud. Repeatable."`
	Source   string   `help:"The claim source, by which services know each other; microservice by default."`
	Static   bool     `xor:"key" help:"Sign with the static key, which stays for ever. The default."`
	Dynamic  bool     `xor:"key" help:"Sign with a rotating key; it stays published until the token expires."`
	Alg      string   `help:"With --dynamic: RS256 (default), ES256 or EdDSA."`
}

// serviceTokenLine is one token of the list.
type serviceTokenLine struct {
	Tenant   string          `json:"tenant"`
	ID       string          `json:"id"`
	JTI      string          `json:"jti"`
	Name     string          `json:"name,omitempty"`
	Issuer   string          `json:"iss"`
	Claims   json.RawMessage `json:"claims"`
	Audience []string        `json:"audience,omitempty"`
	Key      string          `json:"key"` // static or rotating
	KID      string          `json:"kid"`
	State    string          `json:"state"` // good, expired or revoked
	Made     string          `json:"made"`
	Expires  string          `json:"expires"`
	Revoked  string          `json:"revoked,omitempty"`
	MadeBy   string          `json:"made_by"`
	Token    string          `json:"token,omitempty"` // when it is made, and never again
}

func tokenLineOf(slug string, t *servicetoken.Token, at time.Time) serviceTokenLine {
	return serviceTokenLine{
		Tenant: slug, ID: t.ID, JTI: t.JTI, Name: t.Name, Issuer: t.Issuer, Claims: t.Claims, Audience: t.Audience, Key: string(t.Key), KID: t.KID,
		State: t.State(at), Made: instantText(t.CreatedAt), Expires: instantText(t.ExpiresAt), Revoked: instantText(t.RevokedAt),
		MadeBy: madeBy(t),
	}
}

// madeBy is who made a token, and by which face where that says more.
func madeBy(t *servicetoken.Token) string {
	who := strings.TrimSpace(t.Maker.Kind + " " + t.Maker.ID)
	if t.Face == "" || t.Face == t.Maker.Kind {
		return who
	}
	return who + " by " + t.Face
}

// Run makes a token. Standard output gets the token alone, so that it can be piped into where secrets are kept.
func (c *serviceTokenCreateCmd) Run(ctx context.Context, w world) error {
	r, err := c.request()
	if err != nil {
		return err
	}
	return c.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(c.Tenant)
		if err != nil {
			return err
		}
		s, err := d.serviceTokens(ctx, t, r)
		if err != nil {
			return err
		}
		call := d.call(t)
		made, err := s.Create(ctx, call, t, r)
		if err != nil {
			return err
		}
		line := tokenLineOf(t.Slug, &made.Token, call.At)
		line.Token = made.Text.Reveal()
		return d.out.value(line, func(w io.Writer) error {
			_, _ = fmt.Fprintf(d.stderr, "token %s of %s for %s, good until %s; it is shown this once:\n", line.ID, printable(line.Name), t.Slug, line.Expires)
			_, err := fmt.Fprintln(w, line.Token)
			return err
		})
	})
}

func (c *serviceTokenCreateCmd) request() (servicetoken.Request, error) {
	r := servicetoken.Request{Name: c.Name, Source: c.Source, Audience: c.Audience, Key: token.Static, Alg: c.Alg, Claims: map[string]json.RawMessage{}}
	if c.Dynamic {
		r.Key = token.Rotating
	}
	var err error
	if r.TTL, err = parseLife(c.TTL); err != nil {
		return r, err
	}
	for _, text := range c.Claim {
		name, value, err := parseClaim(text)
		if err != nil {
			return r, err
		}
		if _, twice := r.Claims[name]; twice {
			return r, fmt.Errorf("--claim %s stands there twice", name)
		}
		r.Claims[name] = value
	}
	return r, nil
}

// parseClaim reads name=text or name:=JSON. The value may be a secret of sorts, so no error repeats it.
func parseClaim(text string) (name string, value json.RawMessage, err error) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok || name == "" || name == ":" {
		return "", nil, errors.New("--claim is name=text or name:=JSON")
	}
	if name, isJSON := strings.CutSuffix(name, ":"); isJSON {
		if !json.Valid([]byte(rest)) {
			return "", nil, fmt.Errorf("--claim %s: no JSON stands after :=", name)
		}
		return name, json.RawMessage(rest), nil
	}
	value, err = json.Marshal(rest)
	return name, value, err
}

// parseLife reads a Go duration, or whole days or years of 365 days.
func parseLife(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	for suffix, unit := range map[string]time.Duration{"d": day, "y": 365 * day} {
		if n, err := strconv.Atoi(strings.TrimSuffix(text, suffix)); err == nil && strings.HasSuffix(text, suffix) && n > 0 && n <= int(servicetoken.MaxLife/unit) {
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > servicetoken.MaxLife {
		return 0, errors.New("--ttl is a duration such as 90s, 24h, 30d or 100y, from 1s to 100y")
	}
	return d, nil
}

// keyWait is how long a command waits for the first signing key of a server that has just started.
const keyWait = 15 * time.Second

// serviceTokens is the room on this store, with the tenant's keys read.
func (d *desk) serviceTokens(ctx context.Context, t *tenant.Tenant, r servicetoken.Request) (*servicetoken.Service, error) {
	tokens, _, err := d.tokens()
	if err != nil {
		return nil, err
	}
	for began := d.wall(); ; {
		if err := tokens.Load(ctx, t); err != nil {
			return nil, err
		}
		if tokens.CanSign(t.ID, r.Key, r.Alg) {
			return servicetoken.New(d.store.ServiceTokens(), tokens, tenantList(d.have.Tenants)), nil
		}
		if d.wall().Sub(began) > keyWait {
			return nil, errors.New("the tenant has no such signing key yet; the server makes one when it runs")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(tenant.PollEvery):
		}
	}
}

// tenantList is the tenants of a snapshot.
type tenantList []tenant.Tenant

// All implements servicetoken.Tenants.
func (l tenantList) All() (out []*tenant.Tenant) {
	for i := range l {
		out = append(out, &l[i])
	}
	return out
}

type serviceTokenListCmd struct {
	opsFlags
	Tenant string `help:"Only this tenant (slug or id)."`
	Good   bool   `help:"Only tokens that are good now."`
}

// Run lists tokens; nothing of a token itself is kept that could be shown.
func (c *serviceTokenListCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		items, rows := []serviceTokenLine{}, [][]string{}
		for i := range d.have.Tenants {
			t := &d.have.Tenants[i]
			if c.Tenant != "" && c.Tenant != t.Slug && c.Tenant != t.ID {
				continue
			}
			lines, err := d.tokenLines(ctx, t)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if c.Good && l.State != "good" {
					continue
				}
				items = append(items, l)
				rows = append(rows, []string{l.Tenant, l.ID, l.Name, l.Key, l.State, l.Made, l.Expires, l.MadeBy, string(l.Claims)})
			}
		}
		return d.out.table(items, []string{"TENANT", "ID", "NAME", "KEY", "STATE", "MADE", "EXPIRES", "MADE BY", "CLAIMS"}, rows)
	})
}

// tokenLines walks through all pages of a tenant.
func (d *desk) tokenLines(ctx context.Context, t *tenant.Tenant) (out []serviceTokenLine, err error) {
	s, call := servicetoken.New(d.store.ServiceTokens(), nil, nil), d.call(t)
	q := servicetoken.Query{TenantID: t.ID, Limit: 200}
	for {
		page, next, err := s.List(ctx, call, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			out = append(out, tokenLineOf(t.Slug, &page[i], call.At))
		}
		if next == "" {
			return out, nil
		}
		q.After = next
	}
}

type serviceTokenRevokeCmd struct {
	opsFlags
	Tenant string `help:"Tenant (slug or id); needed when there are several."`
	ID     string `arg:"" help:"Id or jti of the token."`
}

// Run revokes a token.
func (c *serviceTokenRevokeCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(c.Tenant)
		if err != nil {
			return err
		}
		ended, err := servicetoken.New(d.store.ServiceTokens(), nil, nil).Revoke(ctx, d.call(t), t, c.ID)
		if err != nil {
			return err
		}
		ids := make([]string, 0, len(ended))
		for i := range ended {
			ids = append(ids, ended[i].ID)
		}
		return d.out.value(map[string][]string{"revoked": ids}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "revoked %s\n", strings.Join(ids, ", "))
			return err
		})
	})
}
