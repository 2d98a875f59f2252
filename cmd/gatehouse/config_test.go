package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

const testMaster = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// good is a configuration with nothing wrong; tests add to it and override it by the environment.
const good = `listen: {trusted_proxies: [10.0.0.0/8]}
master_keys: [env:T_MASTER]
admin_key: env:T_ADMIN
tenants:
- id: 0190d0c8-7c3e-7000-8000-000000000001
  slug: main
  issuer: https://login.example.com
  default_client: web
  lives: {access_s: 900, refresh_grace_s: 0}
  limits: {password_network: "10/1m"}
  clients:
  - id: web
    secret: env:T_CLIENT
    alg: ES256
    redirect_uris: [https://app.example.com/callback]
    allowed_origins: ["https://app.example.com"]
    token_delivery: both
    auto_register: true
    handoff: {confirm: false}
`

func load(t *testing.T, text string, from sources) (*Config, error) {
	t.Helper()
	t.Setenv("T_MASTER", testMaster)
	t.Setenv("T_ADMIN", "an-admin-key-that-is-long")
	t.Setenv("T_CLIENT", "a client's secret")
	t.Setenv("T_EMPTY", "")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("gatehouse.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	from.File = "gatehouse.yaml"
	return loadConfig(t.Context(), from, secretref.New())
}

func TestGoodConfig(t *testing.T) {
	cfg, err := load(t, good, sources{})
	if err != nil {
		t.Fatal(err)
	}
	c := cfg.Tenants[0].Clients[0].client(cfg.Tenants[0].ID)
	if !c.Settings.HandoffNoConfirm || c.Settings.Alg != "ES256" || len(c.SecretHash) != 32 || c.TenantID == "" {
		t.Errorf("the client became %+v", c.Settings)
	}
	if g := cfg.Tenants[0].Lives.RefreshGraceS; g == nil || *g != 0 {
		t.Error("refresh_grace_s: 0 is not told from absent")
	}
	if cfg.Tenants[0].Lives.RefreshMinRotationS != nil {
		t.Error("an absent refresh_min_rotation_s became a choice")
	}
}

func TestPrecedence(t *testing.T) {
	text := "listen: {public: 127.0.0.1:1001, admin: 127.0.0.1:1002}\n"
	env := []string{"GATEHOUSE_LISTEN__PUBLIC=127.0.0.1:2001", "GATEHOUSE_LISTEN__TRUSTED_PROXIES=[\"10.0.0.1\", \"10.0.0.2\"]",
		"GATEHOUSE_SERVICE_HOST=10.1.1.1", "GATEHOUSE_PORT_8080_TCP=x", "GATEHOUSE_SMTP__FROM="}
	flags := map[string]string{"listen.public": "127.0.0.1:3001"}
	for _, c := range []struct {
		name   string
		from   sources
		public string
	}{
		{"file over default", sources{Dev: true}, "127.0.0.1:1001"},
		{"environment over file", sources{Dev: true, Environ: env}, "127.0.0.1:2001"},
		{"flag over environment", sources{Dev: true, Environ: env, Flags: flags}, "127.0.0.1:3001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := load(t, text, c.from)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Listen.Public != c.public || cfg.Listen.Admin != "127.0.0.1:1002" {
				t.Errorf("public %s, admin %s", cfg.Listen.Public, cfg.Listen.Admin)
			}
			if c.from.Environ != nil && len(cfg.Listen.TrustedProxies) != 2 {
				t.Errorf("the list from the environment became %v", cfg.Listen.TrustedProxies)
			}
			if cfg.Store.URL.Value.Reveal() != "sqlite:gatehouse.db" {
				t.Error("the default of store.url is gone")
			}
		})
	}
}

// TestFaults holds what must be refused: each configuration with all its faults and their places, in order.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		from sources
		want []string
	}{
		{"nothing set", "", sources{}, []string{
			"listen.tls_cert: is missing: set", "master_keys: is missing", "admin_key: is missing",
		}},
		{"unknown keys at every depth", "lisen: {}\nlisten:\n  publik: x\ntenants:\n- id: 0190d0c8-7c3e-7000-8000-000000000001\n  slug: a\n  lives: {acces_s: 5}\n  clients:\n  - id: web\n    secrets: x\n",
			sources{Dev: true}, []string{
				"gatehouse.yaml:3: listen.publik: is not a setting", "gatehouse.yaml:7: tenants[0].lives.acces_s: is not a setting",
				"gatehouse.yaml:10: tenants[0].clients[0].secrets: is not a setting", "gatehouse.yaml:1: lisen: is not a setting",
			}},
		{"set twice", "listen:\n  public: 127.0.0.1:1\n  public: 127.0.0.1:2\nlisten: {}\n", sources{Dev: true}, []string{
			"gatehouse.yaml:3: listen.public: is set twice", "gatehouse.yaml:4: listen: is set twice",
		}},
		{"wrong types", "listen: 5\nmaster_keys: env:T_MASTER\ntenants:\n- id: 12\n  slug: yes\n  test: \"yes\"\n  lives: {access_s: \"900\", refresh_idle_s: 1.5}\n",
			sources{Dev: true}, []string{
				"gatehouse.yaml:1: listen: must be a map of settings", "gatehouse.yaml:2: master_keys: must be a list",
				"gatehouse.yaml:4: tenants[0].id: must be text; write it in quotes", "gatehouse.yaml:6: tenants[0].test: must be true or false",
				"gatehouse.yaml:7: tenants[0].lives.access_s: must be a whole number",
				"gatehouse.yaml:7: tenants[0].lives.refresh_idle_s: must be a whole number",
			}},
		{"literal secrets", strings.ReplaceAll(strings.ReplaceAll(good, "env:T_ADMIN", "sesame-open-yourself"), "env:T_CLIENT", "sesame2"), sources{}, []string{
			"gatehouse.yaml:3: admin_key: must be a reference to a secret, not the secret itself (env:, file:)",
			"gatehouse.yaml:13: tenants[0].clients[0].secret: must be a reference to a secret",
		}},
		{"a password in a file", good + "store: {url: \"postgres://gatehouse:sesame@db/gatehouse\"}\n", sources{}, []string{
			"gatehouse.yaml:20: store.url: has a password in it: give the URL by reference",
		}},
		{"references that lead nowhere", strings.ReplaceAll(strings.ReplaceAll(good, "env:T_ADMIN", "env:T_EMPTY"), "env:T_MASTER", "file:none"), sources{}, []string{
			"gatehouse.yaml:2: master_keys[0]: open none: no such file", "gatehouse.yaml:3: admin_key: env:T_EMPTY is empty",
		}},
		{"keys of no worth", strings.ReplaceAll(strings.ReplaceAll(good, "env:T_ADMIN", "env:T_MASTER"), "[env:T_MASTER]", "[env:T_CLIENT, env:T_ADMIN]"), sources{}, []string{
			"gatehouse.yaml:2: master_keys[0]: must lead to 32 bytes", "gatehouse.yaml:2: master_keys[1]: must lead to 32 bytes",
		}},
		{"environment", good, sources{Environ: []string{"GATEHOUSE_LISTEN__PUBLC=x", "GATEHOUSE_TENANTS__0__SLUG=x", "GATEHOUSE_LISTEN__TRUSTED_PROXIES=10.0.0.1", "GATEHOUSE_ADMIN_KEY=sesame"}}, []string{
			"GATEHOUSE_LISTEN__PUBLC: listen.publc: is not a setting", "GATEHOUSE_TENANTS__0__SLUG: tenants.0.slug: is not a setting",
			"GATEHOUSE_LISTEN__TRUSTED_PROXIES: listen.trusted_proxies: must be a list",
			"GATEHOUSE_ADMIN_KEY: admin_key: must be a reference", "is missing: set tls_cert",
		}},
		{"flags", good, sources{Dev: true, Flags: map[string]string{"listen.public": "0.0.0.0:80", "listen.admin": "nowhere"}}, []string{
			"--admin-listen: listen.admin: must be host:port", "--listen: listen.public: must be on loopback with --dev",
		}},
		{"everybody is a proxy", strings.Replace(good, "10.0.0.0/8", "0.0.0.0/0, x", 1), sources{}, []string{
			"gatehouse.yaml:1: listen.trusted_proxies[0]: trusts everybody", "gatehouse.yaml:1: listen.trusted_proxies[1]: must be an address",
		}},
		{"an admin listener for all", "", sources{Dev: true, Environ: []string{"GATEHOUSE_LISTEN__ADMIN=0.0.0.0:1"}}, []string{
			"GATEHOUSE_LISTEN__ADMIN: listen.admin: must be on loopback",
		}},
		{"half of TLS", "listen: {tls_cert: env:T_CLIENT}\n", sources{Dev: true}, []string{"gatehouse.yaml:1: listen: tls_cert and tls_key belong together"}},
		{"TLS that is none", "listen: {tls_cert: env:T_CLIENT, tls_key: env:T_CLIENT}\n", sources{Dev: true}, []string{
			"gatehouse.yaml:1: listen.tls_cert: and listen.tls_key are not a PEM certificate",
		}},
		{"a tenant", "tenants:\n- id: X\n  slug: Main!\n  issuer: http://login.example.com/?a=b\n  default_client: gone\n  lives: {access_s: 1, refresh_idle_s: 900, refresh_max_s: 800}\n  limits: {mail_address: often}\n  cookies: {prefix: __Host-, domain: example.com}\n",
			sources{Dev: true}, []string{
				"gatehouse.yaml:2: tenants[0].id: must be a UUID", "gatehouse.yaml:3: tenants[0].slug", "gatehouse.yaml:4: tenants[0].issuer: must have no user, query",
				"gatehouse.yaml:6: tenants[0].lives.access_s: must be between", "gatehouse.yaml:6: tenants[0].lives.refresh_idle_s: must not exceed",
				"gatehouse.yaml:7: tenants[0].limits.mail_address", "gatehouse.yaml:8: tenants[0].cookies.domain: must be empty",
				"gatehouse.yaml:5: tenants[0].default_client: is none of",
			}},
		{"a client", "tenants:\n- id: 0190d0c8-7c3e-7000-8000-000000000001\n  slug: a\n  clients:\n  - id: a b\n    alg: none\n    token_delivery: post\n    client_auth: true\n    redirect_uris: [\"javascript:alert(1)\", https://ok.example.com, \"https://*.example.com\"]\n    allowed_origins: [\"*\"]\n    default_roles: [admin]\n",
			sources{Dev: true}, []string{
				"gatehouse.yaml:5: tenants[0].clients[0].id", "gatehouse.yaml:6: tenants[0].clients[0].alg", "gatehouse.yaml:7: tenants[0].clients[0].token_delivery",
				"gatehouse.yaml:8: tenants[0].clients[0].client_auth: needs a secret", "gatehouse.yaml:9: tenants[0].clients[0].redirect_uris[0]",
				"gatehouse.yaml:9: tenants[0].clients[0].redirect_uris[2]", "gatehouse.yaml:10: tenants[0].clients[0].allowed_origins[0]",
				"gatehouse.yaml:11: tenants[0].clients[0].default_roles[0]",
			}},
		{"two of one", "tenants:\n- {id: 0190d0c8-7c3e-7000-8000-000000000001, slug: a, clients: [{id: x}, {id: x}]}\n- {id: 0190d0c8-7c3e-7000-8000-000000000001, slug: A}\n",
			sources{Dev: true}, []string{
				"tenants[0].clients[1].id: is used twice", "tenants[1].id: is the same as tenants[0].id", "tenants[1].slug: is the same as tenants[0].slug", "tenants[1].slug: must be 1 to 63",
			}},
		{"mailed links without a base", strings.Replace(good, "https://login.example.com", "macro", 1), sources{}, []string{
			"gatehouse.yaml:7: tenants[0].issuer: is no URL, so mailed links need listen.public_url",
		}},
		{"YAML that jumps", "a: &x {}\nb: *x\n<<: {c: 1}\n---\nd: 1\n", sources{Dev: true}, []string{"gatehouse.yaml:4: must be one document"}},
		{"anchors", "listen: &x {}\nstore: *x\n", sources{Dev: true}, []string{"gatehouse.yaml:1: listen: anchors", "gatehouse.yaml:2: store: anchors"}},
		{"no YAML", "listen: [\n", sources{Dev: true}, []string{"is not well-formed YAML"}},
		{"a list", "- a\n", sources{Dev: true}, []string{"gatehouse.yaml:1: must be a map"}},
		{"Redis URLs that are none", "ephemeral: {url: \"rediss://cache?skip_verify=true\"}\n", sources{Dev: true}, []string{
			"gatehouse.yaml:1: ephemeral.url: must be store, redis://",
		}},
		{"a password in the file", good + "ephemeral: {url: \"redis://:hunter2@cache\"}\n", sources{}, []string{
			"gatehouse.yaml:20: ephemeral.url: has a password in it",
		}},
		{"stores that are none", "store: {url: mysql://db}\nephemeral: {url: memcached://cache}\nsmtp: {url: \"http://mail\"}\n", sources{Dev: true}, []string{
			"gatehouse.yaml:1: store.url: must be sqlite", "gatehouse.yaml:2: ephemeral.url: must be store",
			"gatehouse.yaml:3: smtp.url: must be smtps", "gatehouse.yaml:3: smtp.from: is missing",
		}},
		{"a collector that is none", "traces: {otlp_url: \"collector:4318\", sample: 2}\n", sources{Dev: true}, []string{
			"gatehouse.yaml:1: traces.sample: must be between 0 and 1", "gatehouse.yaml:1: traces.otlp_url: must be http://",
		}},
		{"a collector with a password", "traces:\n  otlp_url: https://me:sesame@collector.example.com\n  sample: .nan\n", sources{Dev: true}, []string{
			"gatehouse.yaml:3: traces.sample: must be between 0 and 1", "gatehouse.yaml:2: traces.otlp_url: must have no user",
		}},
		{"a share that is no number", "traces: {sample: \"0.1\", url: x}\n", sources{Dev: true, Environ: []string{"GATEHOUSE_TRACES__OTLP_URL=https:///v1/traces"}}, []string{
			"gatehouse.yaml:1: traces.sample: must be a number", "gatehouse.yaml:1: traces.url: is not a setting",
			"GATEHOUSE_TRACES__OTLP_URL: traces.otlp_url: must be http://",
		}},
		{"a share from the environment", "", sources{Dev: true, Environ: []string{"GATEHOUSE_TRACES__SAMPLE=half"}}, []string{
			"GATEHOUSE_TRACES__SAMPLE: traces.sample: must be a number",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.text, c.from)
			if err == nil {
				t.Fatal("it was accepted")
			}
			got := strings.Split(err.Error(), "\n")[1:]
			if len(got) != len(c.want) {
				t.Errorf("%d faults, want %d", len(got), len(c.want))
			}
			for i := range min(len(got), len(c.want)) {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("fault %d:\n got %s\nwant %s", i, got[i], c.want[i])
				}
			}
			if t.Failed() {
				t.Log(err)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("a secret is shown: %s", err)
			}
		})
	}
}

func TestManualIsInStep(t *testing.T) {
	var b strings.Builder
	if err := writeManual(&b); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join("..", "..", "docs", "manual.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/manual.md is old; run make gen:\n%s", diff)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.HasSuffix(line, "|  |") {
			t.Errorf("a setting without a sentence: %s", line)
		}
	}
}

// FuzzConfig feeds files that an operator's editor, template engine or enemy may produce: any text gives faults or a configuration, and
// never a panic, and no literal that stands where a reference belongs is repeated.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{good, "", "a: &a [*a]", "listen: {public: 1}", "tenants: [null, {}]", "tenants: {}", "? {a: b}\n: c", "!!binary x: y",
		"listen.public: x", "\xff", "listen: !!set {a}", "master_keys: [{}]", "tenants: [{lives: {refresh_grace_s: 99999999999999999999}}]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		faults := &faultList{places: map[string]string{}}
		l := readYAML("f.yaml", text, faults)
		cfg, err := decodeLayers([]layer{{values: defaults()}, l}, faults)
		if err != nil {
			t.Fatal(err)
		}
		check(cfg, true, faults)
		for _, fault := range faults.list {
			if utf8.ValidString(text) && !utf8.ValidString(fault.String()) {
				t.Errorf("a fault that is no text: %q", fault)
			}
		}
	})
}

// TestOAuthSettings: keys come as a map and stay JSON; what contradicts itself is a fault with its path.
func TestOAuthSettings(t *testing.T) {
	text := strings.Replace(good, "    handoff: {confirm: false}\n", `    handoff: {confirm: false}
    oauth:
      grant_types: [authorization_code, client_credentials]
      token_endpoint_auth_method: private_key_jwt
      jwks: {keys: [{kty: EC, crv: P-256, x: AA, y: AA}]}
`, 1)
	cfg, err := load(t, text, sources{})
	if err != nil {
		t.Fatal(err)
	}
	c := cfg.Tenants[0].Clients[0].client(cfg.Tenants[0].ID)
	if got := string(c.Settings.OAuth.JWKS); got != `{"keys":[{"crv":"P-256","kty":"EC","x":"AA","y":"AA"}]}` {
		t.Errorf("jwks became %s", got)
	}
	for from, want := range map[string]string{
		"jwks: {keys: [{kty: EC, crv: P-256, x: AA, y: AA}]}":        "",
		"jwks: {keys: [{kty: EC, crv: P-256, x: AA, y: AA, d: AA}]}": "oauth.jwks",
		"jwks: [1]":  "oauth.jwks",
		"pkce: none": "oauth.pkce",
	} {
		_, err := load(t, strings.Replace(text, "jwks: {keys: [{kty: EC, crv: P-256, x: AA, y: AA}]}", from, 1), sources{})
		if got := err != nil && strings.Contains(err.Error(), want); got != (want != "") {
			t.Errorf("%s: %v, want a fault at %q", from, err, want)
		}
	}
}
