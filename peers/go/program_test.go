package peers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// runs starts a program that listens at the application's address until the test ends. What it said is shown when the test failed.
func (a *application) runs(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	said, err := os.CreateTemp(t.TempDir(), "said")
	ok(t, err)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ok(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
		if b, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", a.client, b)
		}
	})
	a.awaits(t, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
}

// startAuthlib runs the Python application; the distribution's Python, which has the library, need not be the first one in the path.
func startAuthlib(t *testing.T, s *server.Server, app *application) {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import authlib, requests").Run() != nil {
			continue
		}
		arg, err := json.Marshal(map[string]string{
			"issuer": s.URL, "client": app.client, "secret": clientSecret, "address": app.address,
			"key": ownKeys[app.client].private, "kid": app.client, "alg": ownKeys[app.client].alg,
		})
		ok(t, err)
		app.runs(t, exec.Command(python, filepath.Join(server.Root(), "peers", "python", "authlib_app.py"), string(arg)))
		return
	}
	t.Fatal("no Authlib: install it (Debian: python3-authlib python3-requests), or run .ci/setup, which make test does")
}

const apacheConfig = `
ServerRoot %[1]q
ServerName 127.0.0.1
Listen %[2]s
PidFile %[1]s/pid
DefaultRuntimeDir %[1]s
Mutex pthread
ErrorLog /dev/stderr
LogLevel warn
StartServers 1
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authn_core_module %[3]s/mod_authn_core.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule authz_user_module %[3]s/mod_authz_user.so
LoadModule dir_module %[3]s/mod_dir.so
LoadModule include_module %[3]s/mod_include.so
LoadModule auth_openidc_module %[3]s/mod_auth_openidc.so
DocumentRoot %[1]s/pages
DirectoryIndex index.html
OIDCProviderMetadataURL %[4]s/.well-known/openid-configuration
OIDCClientID %[5]s
OIDCClientSecret %[6]q
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCRedirectURI http://%[2]s/callback
OIDCCryptoPassphrase "the passphrase of a test"
OIDCPKCEMethod S256
OIDCScope "openid email"
OIDCDefaultLoggedOutURL http://%[2]s/bye
<Directory %[1]s/pages>
  Options +Includes
  SetOutputFilter INCLUDES
</Directory>
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<Location /bye>
  AuthType none
  Require all granted
</Location>
`

// startApache runs Apache with mod_auth_openidc in front of two pages.
func startApache(t *testing.T, s *server.Server, app *application) {
	t.Helper()
	modules := "/usr/lib/apache2/modules"
	apache, err := exec.LookPath("apache2")
	if err != nil {
		apache = "/usr/sbin/apache2"
	}
	if _, err := os.Stat(filepath.Join(modules, "mod_auth_openidc.so")); err != nil {
		t.Fatal("no mod_auth_openidc: install it (Debian: apache2-bin libapache2-mod-auth-openidc), or run .ci/setup, which make test does")
	}
	dir, err := os.MkdirTemp("", "gatehouse-apache-") // its workers are another user, who may not enter t.TempDir
	ok(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ok(t, os.Chmod(dir, 0o755))
	ok(t, os.Mkdir(filepath.Join(dir, "pages"), 0o755))
	conf := fmt.Sprintf(apacheConfig, dir, app.address, modules, s.URL, app.client, clientSecret)
	if app.client == "apache-form" {
		conf += "OIDCResponseMode form_post\n"
	}
	if os.Geteuid() == 0 {
		conf += "User nobody\nGroup nogroup\n"
	}
	for name, text := range map[string]string{
		"httpd.conf": conf, "pages/bye": "bye", "pages/index.html": `signed on as <!--#echo var="OIDC_CLAIM_email" -->`,
	} {
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	app.runs(t, exec.Command(apache, "-f", filepath.Join(dir, "httpd.conf"), "-DFOREGROUND"))
}
