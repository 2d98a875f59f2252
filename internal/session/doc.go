// Package session owns sessions and their refresh-token families: it is the only place that opens, rotates and revokes them, and that
// decides whether a refresh token is honest, late or stolen. The decision is a pure function (rule.go); the service around it loads,
// signs and swaps. It does not own who a person is (login), how tokens are signed (token), or how a refusal looks (the faces).
package session
