package endtoend

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// twoClients is a test tenant whose default client registers people by itself and whose client "strict" does not. User data is spread
// over access tokens, so that planted claims have a road to travel. Devices may ask.
const twoClients = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: demo
  oauth: {registration: true}
  clients:
  - id: demo
    name: Demo
    auto_register: true
    claims: {"*": user.data}
    redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"]
    oauth: {grant_types: [authorization_code, refresh_token, "urn:ietf:params:oauth:grant-type:device_code"]}
  - {id: strict, name: Strict, auto_register: false}
`

// oneIssuer is twoClients under a fixed issuer: without one a development server names the port it happens to listen on.
var oneIssuer = strings.Replace(twoClients, "  test: true\n", "  issuer: https://login.example.com\n  test: true\n", 1)

func withStrictClient(o server.Options) server.Options {
	o.Config = twoClients
	return o
}
