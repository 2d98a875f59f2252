package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// TestClockMovesOnEveryNode: when one node says that the clock was moved, the other has moved it too.
func TestClockMovesOnEveryNode(t *testing.T) {
	url, data := testbed.Postgres(t), t.TempDir()
	var nodes []*server
	for range 2 {
		s, err := startServer(program(t), data, []string{"GATEHOUSE_STORE__URL=" + url}, "--dev", "--listen", "127.0.0.1:0", "--data", ".")
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, s)
	}
	if nodes[0].ready.TenantID != nodes[1].ready.TenantID || nodes[0].ready.ClientSecret != nodes[1].ready.ClientSecret {
		t.Error("two nodes of one store name different tenants or secrets")
	}
	for i := range 6 {
		from, other := nodes[i%2], nodes[1-i%2]
		answer, err := http.Post(from.ready.AdminURL+"/test/clock", "application/json",
			strings.NewReader(`{"tenant_id":"`+from.ready.TenantID+`","advance":"1h"}`))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", answer.StatusCode, body)
		}
		if a, b := directoryVersion(t, from), directoryVersion(t, other); a == "" || a != b {
			t.Errorf("after the answer one node is at version %s and the other at %s", a, b)
		}
	}
	for _, s := range nodes {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
}

var versionLine = regexp.MustCompile(`(?m)^gatehouse_directory_version (\S+)$`)

func directoryVersion(t *testing.T, s *server) string {
	t.Helper()
	answer, err := http.Get(s.ready.AdminURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := versionLine.FindSubmatch(body)
	if m == nil {
		return ""
	}
	return string(m[1])
}
