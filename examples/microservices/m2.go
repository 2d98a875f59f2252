package main

import (
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/resource"
)

// m2Name is the audience of tokens for M2: one that was made for another service does not work here, so that no service can use it up the road.
const m2Name = "m2"

// newM2 is a service for services: no person's token passes, whatever claims it carries.
func newM2(v *resource.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /reindex", v.RequireService()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, _ := resource.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "reindexed for %s", t.Subject)
	})))
	return mux
}

// newForum is an API for both. Behind the same check a handler asks who it was.
func newForum(v *resource.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /like-comment", v.UserOrService()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, _ := resource.FromContext(r.Context())
		if t.Kind == resource.KindUser {
			_, _ = fmt.Fprintf(w, "liked by %s", t.Email)
			return
		}
		_, _ = fmt.Fprintf(w, "liked by %s", t.Subject)
	})))
	return mux
}
