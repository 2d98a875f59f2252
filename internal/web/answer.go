package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// JSON answers v.
func (x *Exchange) JSON(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, fault.ReasonInternal, "something went wrong on our side", err)
	}
	h := x.W.Header()
	h["Content-Type"] = jsonContent
	h["Content-Length"] = []string{strconv.Itoa(len(body))} // else net/http sends longer bodies in chunks
	x.W.WriteHeader(status)
	_, err = x.W.Write(body)
	return lostReader(err)
}

// Text answers plain text: for dialects whose refusals are.
func (x *Exchange) Text(status int, text string) error {
	h := x.W.Header()
	h["Content-Type"] = textContent
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	x.W.WriteHeader(status)
	_, err := io.WriteString(x.W, text)
	return lostReader(err)
}

// Refused notes why an exchange was refused where a dialect writes the refusal itself: as Problem does, with what is our fault logged.
func (x *Exchange) Refused(status int, err error) {
	e := fault.From(err)
	x.reason = string(e.Reason)
	x.logFailure(status, e)
	x.refusalHeaders(status, e)
}

// Header values that every answer shares; the slices are never changed.
var (
	jsonContent = []string{"application/json"}
	textContent = []string{"text/plain; charset=utf-8"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	noReferrer  = []string{"no-referrer"}
	deny        = []string{"DENY"}
	sameOrigin  = []string{"same-origin"}
	varyOrigin  = []string{"Origin"}
	hsts        = []string{"max-age=31536000"}
	inertPolicy = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// baseHeaders stand in every answer of every face. Handlers of public files replace Cache-Control.
func (x *Exchange) baseHeaders() {
	h := x.W.Header()
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = noReferrer
	h["X-Frame-Options"] = deny
	h["Content-Security-Policy"] = inertPolicy
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	h["Vary"] = varyOrigin
	h[TraceHeader] = []string{x.Call.Trace}
	if x.peer.secure {
		h["Strict-Transport-Security"] = hsts
	}
}

// NoContent answers 204.
func (x *Exchange) NoContent() error {
	x.W.WriteHeader(http.StatusNoContent)
	return nil
}

// Redirect answers 303 to a place the handler has already checked against its list; nothing is resolved or cleaned here.
func (x *Exchange) Redirect(to string) error {
	x.W.Header().Set("Location", to)
	x.W.WriteHeader(http.StatusSeeOther)
	return nil
}

// Nonce is this answer's CSP nonce: the only scripts that run are the ones that carry it.
func (x *Exchange) Nonce() string {
	if x.nonce == "" {
		x.nonce = secret.Random(16)
	}
	return x.nonce
}

// FormTo lets the page's forms lead to further origins. Chromium applies form-action to the redirect after a post as well, so a page
// whose post ends at the client's page must name that page's origin. Only registered origins may be given.
func (x *Exchange) FormTo(origins ...string) { x.formTo = append(x.formTo, origins...) }

// HTML answers a page under the strict policy. The component is rendered whole first, so that a failure is a clean 500.
func (x *Exchange) HTML(status int, c templ.Component) error {
	nonce := x.Nonce()
	var page bytes.Buffer
	if err := c.Render(templ.WithNonce(x.R.Context(), nonce), &page); err != nil {
		return fault.Wrap(fault.Internal, fault.ReasonInternal, "something went wrong on our side", err)
	}
	h := x.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", x.policy(nonce))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	x.W.WriteHeader(status)
	_, err := x.W.Write(page.Bytes())
	return lostReader(err)
}

func (x *Exchange) policy(nonce string) string {
	return "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; form-action " + strings.Join(append([]string{"'self'"}, x.formTo...), " ") +
		"; base-uri 'none'; frame-ancestors 'none'"
}

// lostReader drops the error of a write: the caller hung up, and there is nobody left to tell.
func lostReader(error) error { return nil }
