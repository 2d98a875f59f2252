package pages

import (
	_ "embed"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

//go:embed assets/try.js
var trySource []byte

var tryScript = view.NewScript(trySource)

// try is the try-it page: a web application in miniature, on the login API.
func (p *Pages) try(x *web.Exchange) error {
	v := view.For(x, "try.title")
	v.Wide, v.Extra = true, []view.Script{tryScript}
	return x.HTML(http.StatusOK, tryPage(v))
}
