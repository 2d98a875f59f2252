package supertokens

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// serve is every call: find the endpoint, pass the doors, answer. Refusals are plain text, never a problem document.
func (f *Face) serve(x *web.Exchange) error {
	if err := f.answer(x); err != nil {
		return refuse(x, err)
	}
	return nil
}

func refuse(x *web.Exchange, err error) error {
	e := fault.From(err)
	code := web.Status(e)
	x.Refused(code, e)
	text := e.Safe
	switch {
	case code == http.StatusServiceUnavailable:
		text = "Service unavailable, please try again"
	case code >= http.StatusInternalServerError || text == "":
		text = "Internal Error"
	}
	return x.Text(code, text)
}

func (f *Face) answer(x *web.Exchange) error {
	p, found := parsePath(x.R.PathValue("rest"), func(path string) bool { return f.table[path] != nil })
	if !found {
		return fault.New(fault.NotFound, fault.ReasonNoRoute, "Not found")
	}
	e := f.table[p.path][readAs(x.R.Method)]
	if e == nil {
		return fault.New(fault.Invalid, fault.ReasonMethod, "Method not supported")
	}
	x.CountAs(web.Label{Method: e.method, Route: prefix + e.path})
	r, err := f.admit(x, e, p)
	if err != nil {
		return err
	}
	body, err := e.handle(x.R.Context(), r)
	if err != nil {
		return err
	}
	return send(x, body)
}

// readAs takes HEAD for GET: net/http leaves the body out.
func readAs(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return method
}

// admit checks app, key, version and tenant, in the order of the original.
func (f *Face) admit(x *web.Exchange, e *endpoint, p place) (*request, error) {
	home, app := f.apps(x, p.app)
	if app == nil {
		return nil, unknownPlace(p)
	}
	x.Enter(app)
	r := &request{call: x.Call, app: app, org: p.org, x: x, rid: strings.ToLower(x.R.Header.Get("rid")), query: x.R.URL.Query()}
	if !e.open {
		r.key = presented(x.R)
		if err := f.doors.check(x.R.Context(), r, home); err != nil {
			return nil, err
		}
	}
	var err error
	if r.version, err = readVersion(x.R.Header.Get("cdi-version")); err != nil {
		return nil, err
	}
	if p.org == publicName {
		return r, nil
	}
	if e.scope == onApp && r.version.from(appWide) {
		return nil, fault.New(fault.Forbidden, fault.ReasonScope, "Only public tenantId can call this app specific API")
	}
	known, err := f.cfg.Organisations.Known(x.R.Context(), app.ID, p.org)
	r.orgGone = !known
	if err == nil && !known && !e.loose {
		err = unknownPlace(p)
	}
	return r, err
}

// apps gives the app that paths without one name, and the one that this path names. Either may be nil.
func (f *Face) apps(x *web.Exchange, name string) (home, app *tenant.Tenant) {
	home = x.Tenant
	if home == nil {
		home = f.cfg.Directory.Only()
	}
	if name == publicName {
		return home, home
	}
	return home, f.cfg.Directory.BySlug(name)
}

func unknownPlace(p place) error {
	return fault.New(fault.Invalid, fault.ReasonUnknownTenant,
		"AppId or tenantId not found => Tenant with the following appId and tenantId combination not found: ("+p.app+", "+p.org+")")
}

// presented is the key of a call: its own header, or Authorization with the scheme Bearer or none.
func presented(r *http.Request) secret.Text {
	if key := r.Header.Get("api-key"); key != "" {
		return secret.NewText(key)
	}
	key := strings.TrimSpace(r.Header.Get("Authorization"))
	if scheme, rest, found := strings.Cut(key, " "); found && strings.EqualFold(scheme, "Bearer") {
		key = strings.TrimSpace(rest)
	}
	return secret.NewText(key)
}

// jsonType must not begin with "text": the Node library then takes the body for a string.
var jsonType = []string{"application/json; charset=UTF-8"}

// plain is an answer in words instead of JSON.
type plain string

// ready is an answer whose bytes are there already.
type ready struct {
	body  []byte
	cache string // Cache-Control
}

func send(x *web.Exchange, body any) error {
	h := x.W.Header()
	var out []byte
	switch v := body.(type) {
	case plain:
		return x.Text(http.StatusOK, string(v))
	case ready:
		out = v.body
		h.Set("Cache-Control", v.cache)
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		var err error
		if out, err = json.Marshal(body); err != nil {
			return fault.From(err)
		}
	}
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(out))}
	x.W.WriteHeader(http.StatusOK)
	_, _ = x.W.Write(out)
	return nil
}
