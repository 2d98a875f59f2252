package resource_test

import (
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/resource"
)

// An API for browsers, phones and other services.
func Example() {
	v, err := resource.New(resource.Config{
		Issuer:                 "https://login.example.com",
		Audience:               "forum",
		JWKSURL:                "http://localhost:1/.well-known/jwks.json", // https, outside of this example
		ServiceIssuer:          "https://api.example.com",
		ServiceWithoutAudience: true,
		Cookie:                 "access_token",
		TrustedOrigins:         []string{"https://www.example.com"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	like := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := resource.FromContext(r.Context())
		_, _ = fmt.Fprintln(w, tok.Kind, tok.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("POST /like-comment", v.UserOrService()(like))
	mux.Handle("DELETE /comments/{id}", v.RequireUser(resource.Role("moderator", "admin"), resource.Scope("write"))(like))
	mux.Handle("POST /internal/reindex", v.RequireService("microservice", "indexer")(like))
	fmt.Println("ready")
	// Output: ready
}
