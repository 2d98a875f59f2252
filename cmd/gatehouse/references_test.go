package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAdminKeyRotates without a restart: the new one opens, the old one no longer does, and a faulty one changes nothing.
func TestAdminKeyRotates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		if err := os.WriteFile(file+".new", []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("the-first-admin-key")
	b := openDev(t, "GATEHOUSE_ADMIN_KEY=file:"+file)
	b.site.resolver, b.site.renewEvery = newResolver(slog.New(slog.DiscardHandler)), 5*time.Millisecond
	admin := b.admin("127.0.0.1:1")
	ctx, stop := context.WithCancel(t.Context())
	done := b.startWorkers(ctx)
	defer func() { stop(); <-done }()
	status := func(key string) int {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1/metrics", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		return w.Code
	}
	if status("the-first-admin-key") != 200 || status("the-second-admin-key") != 401 {
		t.Fatal("before the rotation")
	}
	write("short")
	write("the-second-admin-key")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); status("the-second-admin-key") != 200; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the new key does not open")
		}
	}
	if status("the-first-admin-key") != 401 {
		t.Error("the old key still opens")
	}
	if b.useAdminKey(b.site.cfg.SMTP.URL.Value) == nil {
		t.Error("an empty key was taken into use")
	}
}
