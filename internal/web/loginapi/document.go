package loginapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-auth/gatehouse/internal/web"
)

const schemaPrefix = "#/components/schemas/"

// document builds the OpenAPI 3.1 document of the operations. Schemas come from the Go types that the handlers decode and send.
func document(ops []operation, version string) ([]byte, error) {
	reg := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Gatehouse login API", Version: version,
			Description: "Log people in, keep them logged in, log them out. Every path is also served under /t/{tenant}.",
		},
		Paths: map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas: reg,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
				"cookie": {Type: "apiKey", In: "cookie", Name: web.AccessCookie},
				"dpop":   {Type: "http", Scheme: "dpop", Description: "a token that is bound to a key, beside a proof in the header DPoP (RFC 9449 section 7.1)"},
			},
		},
	}
	for _, op := range ops {
		item := doc.Paths[op.Pattern]
		if item == nil {
			item = &huma.PathItem{}
			doc.Paths[op.Pattern] = item
		}
		place(item, op.Method, describe(reg, op))
	}
	open(reg)
	return json.Marshal(doc)
}

func place(item *huma.PathItem, method string, op *huma.Operation) {
	switch method {
	case http.MethodGet:
		item.Get = op
	case http.MethodPost:
		item.Post = op
	case http.MethodPatch:
		item.Patch = op
	case http.MethodDelete:
		item.Delete = op
	}
}

func describe(reg huma.Registry, op operation) *huma.Operation {
	out := &huma.Operation{OperationID: op.id, Summary: op.summary, Responses: map[string]*huma.Response{}}
	for _, name := range pathParam.FindAllStringSubmatch(op.Pattern, -1) {
		out.Parameters = append(out.Parameters, &huma.Param{Name: name[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, p := range op.params {
		out.Parameters = append(out.Parameters, &huma.Param{
			Name: p.name, In: p.in, Description: p.about, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	if op.in != nil {
		out.RequestBody = &huma.RequestBody{Required: !op.optIn, Content: content("application/json", reg, op.in)}
	}
	for _, a := range op.answers {
		r := &huma.Response{Description: a.about}
		if a.body != nil {
			r.Content = content("application/json", reg, a.body)
		}
		out.Responses[strconv.Itoa(a.status)] = r
	}
	for status, reasons := range op.refuses {
		out.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: "Refused; reasons: " + reasons, Content: content("application/problem+json", reg, web.Problem{}),
		}
	}
	out.Responses["default"] = &huma.Response{
		Description: general, Content: content("application/problem+json", reg, web.Problem{}),
	}
	if op.Bearer && op.id != "refresh" {
		out.Security = []map[string][]string{{"bearer": {}}, {"dpop": {}}, {"cookie": {}}}
	}
	if op.proof != "" {
		describeProof(out, op.proof)
	}
	return out
}

// describeProof adds the proof of possession that a call takes: its header, and the nonce that answers bring.
func describeProof(out *huma.Operation, about string) {
	text := &huma.Schema{Type: huma.TypeString}
	out.Parameters = append(out.Parameters, &huma.Param{Name: "DPoP", In: "header", Description: about, Schema: text})
	for _, r := range out.Responses {
		r.Headers = map[string]*huma.Param{
			web.NonceHeader: {Description: "when a proof was sent: the nonce for the next one, good once, within 5 minutes", Schema: text},
		}
	}
}

// general are the refusals every call may meet.
const general = "Any call: 400 malformed_request, invalid_field, unknown_client; 403 insecure_transport; 404 unknown_tenant; 405; 413; 415; " +
	"421 misdirected_host; 429 rate_limited with Retry-After; 500; 503 with Retry-After"

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func content(kind string, reg huma.Registry, v any) map[string]*huma.MediaType {
	t := reflect.TypeOf(v)
	return map[string]*huma.MediaType{kind: {Schema: reg.Schema(t, true, t.Name())}}
}

// open lets every object carry further fields: requests ignore what they do not know, and answers may gain fields without a new version
// of the API. Raw JSON fields are objects.
func open(reg huma.Registry) {
	for name, s := range reg.Map() {
		s.AdditionalProperties = true
		if data := s.Properties["data"]; data != nil && strings.HasPrefix(name, "Me") {
			data.Type = huma.TypeObject
		}
	}
}
