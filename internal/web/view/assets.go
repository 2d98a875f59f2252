package view

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

//go:embed assets/page.js
var pageScript []byte

// Script is a script file under the name that its content gives it.
type Script struct {
	Name string
	body []byte
}

// NewScript names a script. It is served once it is given to Assets.
func NewScript(body []byte) Script {
	h := sha256.Sum256(body)
	return Script{Name: hex.EncodeToString(h[:8]) + ".js", body: body}
}

var ownScript = NewScript(pageScript)

// Assets is the route of the style sheets, of the pages' own script and of the given ones.
func Assets(scripts ...Script) web.Route {
	files := map[string][]byte{ownScript.Name: ownScript.body}
	for _, s := range scripts {
		files[s.Name] = s.body
	}
	return web.Route{Owner: "pages", Method: http.MethodGet, Pattern: "/ui/assets/{file}", Public: true, Handle: func(x *web.Exchange) error {
		return serve(x, files)
	}}
}

func serve(x *web.Exchange, files map[string][]byte) error {
	file := x.R.PathValue("file")
	if body, ok := files[file]; ok {
		return send(x, "text/javascript; charset=utf-8", body, true)
	}
	if !strings.HasSuffix(file, ".css") {
		return fault.New(fault.NotFound, fault.ReasonNoRoute, "there is nothing at this path")
	}
	// Another name is a page of an older or newer version: the sheet in hand is better than none, but must not be kept under that name.
	name, css := Sheet(x.Tenant)
	return send(x, "text/css; charset=utf-8", css, name == file)
}

func send(x *web.Exchange, kind string, body []byte, keep bool) error {
	h := x.W.Header()
	h.Set("Content-Type", kind)
	if keep {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	x.W.WriteHeader(http.StatusOK)
	_, _ = bytes.NewReader(body).WriteTo(x.W)
	return nil
}
