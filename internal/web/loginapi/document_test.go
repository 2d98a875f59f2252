package loginapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

type published struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		RequestBody *struct {
			Required bool `json:"required"`
		} `json:"requestBody"`
		Parameters []struct {
			Name string `json:"name"`
		} `json:"parameters"`
		Responses map[string]struct {
			Description string                     `json:"description"`
			Headers     map[string]json.RawMessage `json:"headers"`
			Content     map[string]json.RawMessage `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties           map[string]json.RawMessage `json:"properties"`
			Required             []string                   `json:"required"`
			AdditionalProperties any                        `json:"additionalProperties"`
		} `json:"schemas"`
	} `json:"components"`
}

func readDocument(t *testing.T, b *bench) published {
	t.Helper()
	r, body := b.ask("GET", "/openapi.json", "")
	if r.StatusCode != 200 || body != string(b.api.doc.body) || r.Header.Get("ETag") == "" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	var doc published
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestDocumentIsTheRouteTable compares what the hall really serves for this face with what the document says.
func TestDocumentIsTheRouteTable(t *testing.T) {
	b := newBench(t)
	doc := readDocument(t, b)
	var mounted, written []string
	for _, r := range b.hall.Routes() {
		if r.Owner == Owner {
			mounted = append(mounted, r.Method+" "+r.Pattern)
		}
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			written = append(written, strings.ToUpper(method)+" "+path)
			if ids[op.OperationID] || op.OperationID == "" {
				t.Errorf("operation id %q", op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	sort.Strings(mounted)
	sort.Strings(written)
	if d := cmp.Diff(mounted, written); d != "" || doc.OpenAPI != "3.1.0" {
		t.Fatal(d)
	}
	for _, want := range []string{"POST /login/password", "POST /jwt/refresh", "POST /logout", "GET /me", "DELETE /sessions/{id}", "GET /.well-known/jwks.json"} {
		if !slices.Contains(written, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for name, s := range doc.Components.Schemas {
		if s.AdditionalProperties != true {
			t.Errorf("%s is closed: unknown fields are ignored, not refused", name)
		}
	}
	if got := doc.Components.Schemas["PasswordBody"].Required; !slices.Equal(got, []string{"email", "password"}) {
		t.Error(got)
	}
}

// shown is one exchange that makes an operation give one of its documented answers.
type shown struct {
	op, target, body string
	heads            []string
	fail             error
	status           int
}

func refusal(kind fault.Kind, reason fault.Reason) error { return fault.New(kind, reason, "refused") }

func everyAnswer() []shown {
	weak, gone := refusal(fault.Unprocessable, fault.ReasonWeakPassword), refusal(fault.Gone, fault.ReasonGone)
	stepUp := refusal(fault.Forbidden, fault.ReasonStepUpRequired)
	own, far := []string{bearer}, []string{cookies, "Origin: " + foreign}
	const mail, reset, me = `{"email":"a@b"}`, `{"token":"t","password":"p"}`, `{"name":"N"}`
	const token = `{"token":"the.access.token"}`
	key := []string{"X-Internal-Api-Key: gk_right"}
	lacking := []string{"X-Internal-Api-Key: gk_poor"}
	const number, claim = `{"code_id":"id","number":"07"}`, `{"claim_id":"id","claim_secret":"s"}`
	return []shown{
		{"loginPassword", "/login/password", good, nil, nil, 200},
		{"loginPassword", "/login/password", good, []string{"X-Token-Mode: cookie"}, nil, 200},
		{"loginPassword", "/login/password", good, nil, refusal(fault.Unauthenticated, fault.ReasonInvalidCredentials), 401},
		{"loginPassword", "/login/password", good, far, nil, 403},
		{"loginPassword", "/login/password", good, nil, refusal(fault.Limited, fault.ReasonLimited), 429},
		{"loginPassword", "/login/password", `{"email":17}`, nil, nil, 400},
		{"register", "/register", good, nil, nil, 202},
		{"register", "/register", good, far, nil, 403},
		{"register", "/register", good, nil, weak, 422},
		{"resendVerification", "/email/verify/resend", mail, nil, nil, 202},
		{"resendVerification", "/email/verify/resend", mail, far, nil, 403},
		{"forgotPassword", "/password/forgot", mail, nil, nil, 202},
		{"forgotPassword", "/password/forgot", mail, far, nil, 403},
		{"resetPassword", "/password/reset", reset, nil, nil, 200},
		{"resetPassword", "/password/reset", reset, far, nil, 403},
		{"resetPassword", "/password/reset", reset, nil, gone, 410},
		{"resetPassword", "/password/reset", reset, nil, weak, 422},
		{"refresh", "/jwt/refresh", "", []string{cookies}, nil, 200},
		{"refresh", "/jwt/refresh", `{"refresh_token":"gr"}`, nil, nil, 200},
		{"refresh", "/jwt/refresh", "", nil, nil, 401},
		{"refresh", "/jwt/refresh", "", far, nil, 403},
		{"logout", "/logout", "", []string{cookies}, nil, 200},
		{"logout", "/logout", "", far, nil, 403},
		{"jwks", "/.well-known/jwks.json", "", nil, nil, 200},
		{"jwks", "/.well-known/jwks.json", "", []string{"If-None-Match: *"}, nil, 304},
		{"openapi", "/openapi.json", "", nil, nil, 200},
		{"openapi", "/openapi.json", "", []string{"If-None-Match: *"}, nil, 304},
		{"me", "/me", "", own, nil, 200},
		{"me", "/me", "", nil, nil, 401},
		{"me", "/me", "", own, refusal(fault.Unavailable, fault.ReasonUnavailable), 503},
		{"changeMe", "/me", me, own, nil, 200},
		{"changeMe", "/me", `{"email":"n@b","data":{"a":[1]}}`, own, nil, 200},
		{"changeMe", "/me", me, nil, nil, 401},
		{"changeMe", "/me", me, own, stepUp, 403},
		{"changeMe", "/me", me, own, refusal(fault.Conflict, fault.ReasonConflict), 409},
		{"deleteMe", "/me", "", own, nil, 204},
		{"deleteMe", "/me", "", nil, nil, 401},
		{"deleteMe", "/me", "", own, stepUp, 403},
		{"sessions", "/sessions?limit=1", "", own, nil, 200},
		{"sessions", "/sessions", "", own, nil, 200},
		{"sessions", "/sessions", "", nil, nil, 401},
		{"endOtherSessions", "/sessions?except=current", "", own, nil, 200},
		{"endOtherSessions", "/sessions?except=current", "", nil, nil, 401},
		{"endOtherSessions", "/sessions?except=current", "", far, nil, 403},
		{"endSession", "/sessions/" + sidTwo, "", own, nil, 204},
		{"endSession", "/sessions/" + sidTwo, "", nil, nil, 401},
		{"endSession", "/sessions/" + sidTwo, "", far, nil, 403},
		{"createSessionCode", "/session/create", "", own, nil, 200},
		{"createSessionCode", "/session/create", "", nil, nil, 401},
		{"createSessionCode", "/session/create", "", own, stepUp, 403},
		{"confirmSessionCode", "/session/confirm", number, own, nil, 200},
		{"confirmSessionCode", "/session/confirm", number, nil, nil, 401},
		{"confirmSessionCode", "/session/confirm", number, own, refusal(fault.Forbidden, fault.ReasonWrongNumber), 403},
		{"confirmSessionCode", "/session/confirm", number, own, refusal(fault.Conflict, fault.ReasonConflict), 409},
		{"confirmSessionCode", "/session/confirm", number, own, gone, 410},
		{"claimSessionCode", "/session/login/the-code", "", nil, nil, 202},
		{"claimSessionCode", "/session/login/at-once", "", nil, nil, 200},
		{"claimSessionCode", "/session/login/at-once", "", far, nil, 403},
		{"claimSessionCode", "/session/login/the-code", "", nil, refusal(fault.Unauthenticated, fault.ReasonOAuthProof), 401},
		{"claimSessionCode", "/session/login/the-code", "", nil, gone, 410},
		{"redeemClaim", "/session/claim", claim, nil, nil, 200},
		{"redeemClaim", "/session/claim", `{"claim_id":"id","claim_secret":"not-yet"}`, nil, nil, 202},
		{"redeemClaim", "/session/claim", claim, nil, refusal(fault.Forbidden, fault.ReasonWrongNumber), 403},
		{"redeemClaim", "/session/claim", claim, nil, refusal(fault.Unauthenticated, fault.ReasonBindingMismatch), 401},
		{"redeemClaim", "/session/claim", claim, nil, gone, 410},
		{"verifyToken", "/internal/token/verify", token, key, nil, 200},
		{"verifyToken", "/internal/token/verify", `{"token":"rubbish"}`, key, nil, 200},
		{"verifyToken", "/internal/token/verify", token, nil, nil, 401},
		{"verifyToken", "/internal/token/verify", token, lacking, nil, 403},
		{"readUser", "/internal/users/" + ann, "", key, nil, 200},
		{"readUser", "/internal/users/" + sidOne, "", key, nil, 404},
		{"readUser", "/internal/users/nobody", "", key, nil, 404},
		{"readUser", "/internal/users/" + ann, "", own, nil, 401},
		{"readUser", "/internal/users/" + ann, "", lacking, nil, 403},
		{"revokeSessions", "/internal/sessions/revoke", `{"user_id":"u"}`, key, nil, 200},
		{"revokeSessions", "/internal/sessions/revoke", `{"user_id":"u","session_id":"s"}`, key, nil, 400},
		{"revokeSessions", "/internal/sessions/revoke", `{"user_id":"u"}`, []string{"X-Internal-Api-Key: gk_wrong"}, nil, 401},
		{"revokeSessions", "/internal/sessions/revoke", `{"user_id":"u"}`, lacking, nil, 403},
		{"createServiceToken", "/internal/service-tokens", `{"name":"m1"}`, key, nil, 201},
		{"createServiceToken", "/internal/service-tokens", `{"name":"m1"}`, own, nil, 401},
		{"createServiceToken", "/internal/service-tokens", `{"name":"m1"}`, lacking, nil, 403},
		{"createServiceToken", "/internal/service-tokens", `{"name":"m1"}`, key, refusal(fault.Conflict, fault.ReasonConflict), 409},
		{"listServiceTokens", "/internal/service-tokens?limit=1", "", key, nil, 200},
		{"listServiceTokens", "/internal/service-tokens", "", nil, nil, 401},
		{"listServiceTokens", "/internal/service-tokens", "", lacking, nil, 403},
		{"revokeServiceToken", "/internal/service-tokens/id", "", key, nil, 204},
		{"revokeServiceToken", "/internal/service-tokens/id", "", nil, nil, 401},
		{"revokeServiceToken", "/internal/service-tokens/id", "", lacking, nil, 403},
		{"revokeServiceToken", "/internal/service-tokens/id", "", key, refusal(fault.NotFound, fault.ReasonNotFound), 404},
		{"verifyToken", "/internal/token/verify", `{"token":"the.service.token"}`, key, nil, 200},
		{"endSession", "/sessions/" + sidBob, "", own, nil, 404},
	}
}

// TestEveryDocumentedAnswer makes the handlers give every answer their document names, and checks each body against the Go type that the
// document was made from, with no field too many.
func TestEveryDocumentedAnswer(t *testing.T) {
	b := newBench(t)
	ops := map[string]operation{}
	missing := map[string]bool{}
	for _, op := range b.api.operations() {
		ops[op.id] = op
		for _, a := range op.answers {
			missing[op.id+" "+strconv.Itoa(a.status)] = true
		}
		for status := range op.refuses {
			missing[op.id+" "+strconv.Itoa(status)] = true
		}
	}
	for _, s := range everyAnswer() {
		op := ops[s.op]
		b.fail = s.fail
		r, body := b.ask(op.Method, s.target, s.body, s.heads...)
		if r.StatusCode != s.status {
			t.Errorf("%+v: %d %s", s, r.StatusCode, body)
			continue
		}
		delete(missing, s.op+" "+strconv.Itoa(s.status))
		kind, want := "application/problem+json", any(web.Problem{})
		if i := slices.IndexFunc(op.answers, func(a answer) bool { return a.status == s.status }); i >= 0 {
			kind, want = "application/json", op.answers[i].body
		}
		if want == nil {
			if body != "" {
				t.Errorf("%s: body %s", s.op, body)
			}
			continue
		}
		if got := r.Header.Get("Content-Type"); got != kind {
			t.Errorf("%s: %s", s.op, got)
		}
		for _, fault := range against(t, want, body) {
			t.Errorf("%s %d: %s in %s", s.op, s.status, fault, body)
		}
	}
	for m := range missing {
		t.Errorf("documented and never seen: %s", m)
	}
}

// TestDocumentTellsOfProofs: the calls that look at a proof of possession, and no others, have its header in the document, the refusals of a bad
// one, and the nonce that comes with every answer.
func TestDocumentTellsOfProofs(t *testing.T) {
	b := newBench(t)
	b.bound = "thumb"
	looked := map[string]bool{}
	for _, s := range everyAnswer() {
		if s.status >= 300 {
			continue
		}
		b.api.cfg.Proofs = func(*web.Exchange, secret.Text) (string, error) { looked[s.op] = true; return "thumb", nil }
		var heads []string
		for _, h := range s.heads {
			heads = append(heads, strings.Replace(h, "Authorization: Bearer", "Authorization: DPoP", 1))
		}
		method := b.api.operations()[slices.IndexFunc(b.api.operations(), func(op operation) bool { return op.id == s.op })].Method
		if r, body := b.ask(method, s.target, s.body, heads...); r.StatusCode != s.status {
			t.Errorf("%s with a proof: %d %s", s.op, r.StatusCode, body)
		}
	}
	if len(looked) < 10 {
		t.Fatalf("proofs are looked at by %v", looked)
	}
	for path, item := range readDocument(t, b).Paths {
		for _, op := range item {
			told := false
			for _, p := range op.Parameters {
				told = told || p.Name == "DPoP"
			}
			_, nonce := op.Responses["401"].Headers[web.NonceHeader]
			about := op.Responses["401"].Description
			full := nonce && strings.Contains(about, "invalid_dpop_proof") && strings.Contains(about, "use_dpop_nonce")
			if want := looked[op.OperationID]; told != want || full != want {
				t.Errorf("%s %s looks at a proof: %v, and the document says %v, %q", op.OperationID, path, want, told, about)
			}
		}
	}
}

// against checks a body against the closed schema of a type.
func against(t *testing.T, typ any, body string) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return []string{err.Error()}
	}
	reg := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	s := reg.Schema(reflect.TypeOf(typ), false, "Answer")
	var res huma.ValidateResult
	huma.Validate(reg, s, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, &res)
	var out []string
	for _, e := range res.Errors {
		out = append(out, e.Error())
	}
	return out
}

// TestTheCheckBites: the schema check of the tests above finds what it is there to find.
func TestTheCheckBites(t *testing.T) {
	for _, bad := range []string{`{}`, `{"expires_in":"x","refresh_expires_in":1}`, `{"expires_in":1,"refresh_expires_in":1,"extra":1}`,
		`{"expires_in":1,"refresh_expires_in":1,"user":{"id":"x"}}`, `{"expires_in":1,"refresh_expires_in":1,"token_type":"Basic"}`} {
		if against(t, LoginAnswer{}, bad) == nil {
			t.Errorf("%s passed", bad)
		}
	}
}

func schemaOf(v any) *huma.Schema {
	return huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer).Schema(reflect.TypeOf(v), false, "Body")
}
