package main

import (
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Config is everything an operator may set: the one table behind the file, the environment, and docs/manual.md. A field's json tag is its
// name, its doc tag the sentence in the manual. Units stand in the names.
type Config struct {
	Listen     ListenConfig    `json:"listen" doc:"Where the server listens."`
	Store      StoreConfig     `json:"store" doc:"Where everything durable is kept."`
	Ephemeral  EphemeralConfig `json:"ephemeral" doc:"Where one-time values and limits are kept."`
	MasterKeys []Ref           `json:"master_keys" doc:"keys of 32 bytes (base64 or hex) that wrap every other key; the first wraps, all unwrap. Required, except with --dev."`
	SMTP       SMTPConfig      `json:"smtp" doc:"How mail leaves. Test tenants' mail goes to the development mailbox instead."`
	AdminKey   Ref             `json:"admin_key" doc:"bearer key of the admin listener, at least 16 characters. Required, except with --dev."`
	Traces     TracesConfig    `json:"traces" doc:"OpenTelemetry traces."`
	Tenants    []TenantConfig  `json:"tenants" doc:"Tenants and their clients. Applied to an empty store, or always with --dev; otherwise a difference is logged."`
}

// ListenConfig is the listen section.
type ListenConfig struct {
	Public         string   `json:"public" doc:"host:port of the API and the pages; port 0 takes a free one. Flag --listen."`
	Admin          string   `json:"admin" doc:"host:port of the admin listener (metrics, test clock). Not on loopback: only with tls_cert. Flag --admin-listen."`
	PublicURL      string   `json:"public_url" doc:"URL under which people reach the server; the base of mailed links of tenants whose issuer is no URL."`
	TLSCert        Ref      `json:"tls_cert" doc:"certificate chain, PEM. Required with tls_key, unless trusted_proxies is set or with --dev."`
	TLSKey         Ref      `json:"tls_key" doc:"private key of tls_cert, PEM."`
	TrustedProxies []string `json:"trusted_proxies" doc:"addresses or networks whose forwarded headers are believed; plain HTTP is served to them alone."`
}

// StoreConfig is the store section.
type StoreConfig struct {
	URL SecretURL `json:"url" doc:"sqlite:<file, relative to --data> or postgres://…, or a reference to such a URL. A password may stand in it only in the environment."`
}

// EphemeralConfig is the ephemeral section.
type EphemeralConfig struct {
	URL SecretURL `json:"url" doc:"store: in the process on SQLite, in the database on PostgreSQL. Or redis://[user:password@]host[:port][/database] or rediss://… (Redis 6 or Valkey; it must not evict), or a reference to such a URL. While Redis is down limits are counted as with store, and calls that need a one-time value answer 503 with Retry-After."`
}

// SMTPConfig is the smtp section.
type SMTPConfig struct {
	URL  SecretURL `json:"url" doc:"smtps://user:password@host:465 or smtp://host:587 (STARTTLS required), or a reference to such a URL."`
	From string    `json:"from" doc:"sender of mails of tenants that name none."`
}

// TracesConfig is the traces section.
type TracesConfig struct {
	OTLPURL string  `json:"otlp_url" doc:"URL of the collector (OTLP over HTTP, protobuf), for example http://127.0.0.1:4318; without a path /v1/traces is added. Empty: no traces."`
	Sample  float64 `json:"sample" doc:"share of the requests that are traced, 0 to 1."`
}

// TenantConfig is one of tenants.
type TenantConfig struct {
	ID     string `json:"id" doc:"UUID in lower case. Required."`
	Slug   string `json:"slug" doc:"short name in /t/{slug} paths. Required."`
	Name   string `json:"name" doc:"name shown to people; default the slug"`
	Issuer string `json:"issuer" doc:"iss of its tokens: its public URL, or a text of your choice. Required, except with --dev."`
	Test   bool   `json:"test" doc:"its clock may be moved and its mail goes to the development mailbox"`
	tenant.Policy
	Clients []ClientConfig `json:"clients" doc:"Applications that may ask for tokens."`
}

// ClientConfig is one of a tenant's clients.
type ClientConfig struct {
	ID     string `json:"id" doc:"1 to 128 of A-Z a-z 0-9 . _ ~ -. Required."`
	Name   string `json:"name" doc:"name shown to people; default the id"`
	Secret Ref    `json:"secret" doc:"secret of a confidential client; none for a public one. Use 32 random bytes or more."`
	tenant.ClientSettings
	Handoff HandoffConfig `json:"handoff" doc:"Session codes that hand a login to a phone."`
}

// HandoffConfig is a client's handoff section.
type HandoffConfig struct {
	Confirm *bool `json:"confirm" doc:"the first device confirms by number match; default true"`
}

// Ref is a secret by reference. Text is the reference, Value what it led to.
type Ref struct {
	Text  string
	Value secret.Text
}

// IsSet reports whether the operator gave a reference.
func (r Ref) IsSet() bool { return r.Text != "" }

// SecretURL is a URL that may hold a password, or a reference to one.
type SecretURL struct {
	Text  string // as given
	Value secret.Text
}

// IsSet reports whether the operator gave a URL.
func (u SecretURL) IsSet() bool { return u.Text != "" }

// defaults are the settings before any file, variable or flag.
func defaults() map[string]any {
	return map[string]any{
		"listen":    map[string]any{"public": "127.0.0.1:8080", "admin": "127.0.0.1:8081"},
		"store":     map[string]any{"url": "sqlite:gatehouse.db"},
		"ephemeral": map[string]any{"url": "store"},
		"traces":    map[string]any{"sample": 0.1},
	}
}
