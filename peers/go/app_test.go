package peers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/supertokens/supertokens-golang/ingredients/emaildelivery"
	"github.com/supertokens/supertokens-golang/recipe/emailpassword"
	"github.com/supertokens/supertokens-golang/recipe/emailpassword/epmodels"
	"github.com/supertokens/supertokens-golang/recipe/emailverification"
	"github.com/supertokens/supertokens-golang/recipe/emailverification/evmodels"
	stjwt "github.com/supertokens/supertokens-golang/recipe/jwt"
	"github.com/supertokens/supertokens-golang/recipe/multitenancy"
	"github.com/supertokens/supertokens-golang/recipe/session"
	"github.com/supertokens/supertokens-golang/recipe/session/sessmodels"
	"github.com/supertokens/supertokens-golang/recipe/usermetadata"
	"github.com/supertokens/supertokens-golang/recipe/userroles"
	"github.com/supertokens/supertokens-golang/supertokens"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

func TestMain(m *testing.M) {
	code := m.Run()
	server.Cleanup()
	os.Exit(code)
}

const (
	password      = "correct horse battery 1" // the library wants a number in it
	refreshPath   = "/auth/session/refresh"
	accessHeader  = "St-Access-Token"
	refreshHeader = "St-Refresh-Token"
)

// app is an API on SuperTokens' Go library, the server it takes for its core, and what that library would have mailed. The library's settings
// are of the process, so there is one.
type app struct {
	core   *server.Server
	url    string
	target *drill.Target
	mails  []emaildelivery.EmailType
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newApp(t *testing.T) *app {
	t.Helper()
	a := &app{core: server.Start(t, server.Options{})}
	mux := http.NewServeMux()
	var handler http.Handler
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	a.url = front.URL
	a.target = &drill.Target{URL: front.URL, HTTP: front.Client()}
	a.start(t)
	a.routes(t, mux)
	handler = supertokens.Middleware(mux)
	return a
}

func (a *app) start(t *testing.T) {
	t.Helper()
	var send = func(mail emaildelivery.EmailType, _ supertokens.UserContext) error {
		a.mails = append(a.mails, mail)
		return nil
	}
	keep := &emaildelivery.TypeInput{Override: func(original emaildelivery.EmailDeliveryInterface) emaildelivery.EmailDeliveryInterface {
		original.SendEmail = &send
		return original
	}}
	csrf, no := "VIA_TOKEN", false
	ok(t, supertokens.Init(supertokens.TypeInput{
		Telemetry: &no,
		Supertokens: &supertokens.ConnectionInfo{
			ConnectionURI: strings.Replace(a.core.URL, "localhost", "127.0.0.1", 1) + "/supertokens", APIKey: a.core.SuperKey,
		},
		AppInfo: supertokens.AppInfo{AppName: "tests", APIDomain: a.url, WebsiteDomain: a.url},
		RecipeList: []supertokens.Recipe{
			emailpassword.Init(&epmodels.TypeInput{EmailDelivery: keep}),
			emailverification.Init(evmodels.TypeInput{
				Mode: evmodels.ModeOptional, EmailDelivery: keep,
				GetEmailForUserID: func(id string, _ supertokens.UserContext) (evmodels.TypeEmailInfo, error) {
					if strings.Count(id, "-") == 4 { // an id of the server: the recipes know the address
						return evmodels.TypeEmailInfo{UnknownUserIDError: &struct{}{}}, nil
					}
					return evmodels.TypeEmailInfo{EmailDoesNotExistError: &struct{}{}}, nil
				},
			}),
			session.Init(&sessmodels.TypeInput{AntiCsrf: &csrf}),
			userroles.Init(nil), usermetadata.Init(nil), stjwt.Init(nil), multitenancy.Init(nil),
		},
	}))
}

// routes are the application's own.
func (a *app) routes(t *testing.T, mux *http.ServeMux) {
	mux.HandleFunc("POST /sessions", func(w http.ResponseWriter, r *http.Request) {
		s, err := session.CreateNewSession(r, w, "public", r.URL.Query().Get("user"), map[string]any{"plan": "pro"}, map[string]any{"cart": 1})
		if err != nil {
			t.Errorf("a session: %v", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, map[string]any{"handle": s.GetHandle(), "user": s.GetUserID()})
	})
	who := func(w http.ResponseWriter, r *http.Request) {
		s := session.GetSessionFromRequestContext(r.Context())
		write(w, map[string]any{"user": s.GetUserID(), "handle": s.GetHandle(), "payload": s.GetAccessTokenPayload()})
	}
	yes, no := true, false
	mux.HandleFunc("/who", session.VerifySession(nil, who))
	mux.HandleFunc("/who/stored", session.VerifySession(&sessmodels.VerifySessionOptions{CheckDatabase: &yes}, who))
	mux.HandleFunc("POST /log-out", session.VerifySession(nil, func(w http.ResponseWriter, r *http.Request) {
		if err := session.GetSessionFromRequestContext(r.Context()).RevokeSession(); err != nil {
			t.Errorf("revoke: %v", err)
		}
		write(w, nil)
	}))
	mux.HandleFunc("POST /like-comment", func(w http.ResponseWriter, r *http.Request) {
		s, err := session.GetSession(r, w, &sessmodels.VerifySessionOptions{SessionRequired: &no})
		if err != nil {
			if supertokens.ErrorHandler(err, r, w) != nil {
				http.Error(w, "error", http.StatusInternalServerError)
			}
			return
		}
		if s != nil {
			write(w, map[string]any{"user": s.GetUserID()})
			return
		}
		_, raw, _ := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
		claims, err := a.service(r.Context(), raw)
		if err != nil {
			http.Error(w, "unauthorised", http.StatusUnauthorized)
			return
		}
		write(w, map[string]any{"service": claims["source"]})
	})
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// service is the second service: it fetches the keys from the application and checks signature and mark.
func (a *app) service(ctx context.Context, raw string) (jwt.MapClaims, error) {
	keys, err := keyfunc.Get(a.url+"/auth/jwt/jwks.json", keyfunc.Options{Ctx: ctx, RefreshTimeout: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(raw, claims, keys.Keyfunc); err != nil {
		return nil, err
	}
	if claims["source"] != "microservice" {
		return nil, errors.New("not the token of a service")
	}
	return claims, nil
}

// sent is the newest mail to an address.
func (a *app) sent(t *testing.T, email string) emaildelivery.EmailType {
	t.Helper()
	for i := len(a.mails) - 1; i >= 0; i-- {
		m := a.mails[i]
		if m.EmailVerification != nil && m.EmailVerification.User.Email == email || m.PasswordReset != nil && m.PasswordReset.User.Email == email {
			return m
		}
	}
	t.Fatalf("no mail to %s", email)
	return emaildelivery.EmailType{}
}

// call sends one request of a browser or an app and fails the test unless the answer has the status.
func call(t *testing.T, v *drill.Visitor, status int, method, path string, body any) *drill.Reply {
	t.Helper()
	r, err := v.Do(t.Context(), method, path, body)
	ok(t, err)
	if r.Status != status {
		t.Fatalf("%s %s: answered %d, want %d: %s", method, path, r.Status, status, r.Body)
	}
	return r
}
