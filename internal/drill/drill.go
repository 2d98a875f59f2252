// Package drill owns the attacks of strangers as runnable functions: each plays one attack against a running server and says whether it
// was refused, contained (with the window in which it worked) or succeeded. It does not own defences, and it sees the server only
// from outside: over HTTP.
package drill

import (
	"context"
	"fmt"
	"time"
)

// Outcome of a drill.
type Outcome string

// The outcomes. Contained means that the attack works until it is noticed or expires; Window says how long.
const (
	Refused   Outcome = "refused"
	Contained Outcome = "contained"
	Succeeded Outcome = "succeeded"
)

// Verdict is what a drill found.
type Verdict struct {
	Outcome Outcome
	Window  time.Duration // for Contained: how long the stolen thing worked
	Detail  string        // one line for people
}

// Held reports whether the defence held.
func (v Verdict) Held() bool { return v.Outcome != Succeeded }

// Drill is one attack. Row is its number in the table of attacks. Defences names the switches that a weakened test build can turn off;
// with all of them off the drill must succeed, or it proves nothing.
type Drill struct {
	Row      int
	Name     string
	Defences []string
	Run      func(ctx context.Context, t *Target) (Verdict, error)
}

// All lists every drill, by row.
func All() []Drill {
	return []Drill{
		{1, "stolen-refresh-token", []string{"reuse"}, stolenRefreshToken},
		{1, "supertokens-stolen-refresh-token", []string{"reuse"}, superStolen},
		{1, "supertokens-token-elsewhere", []string{"one-dialect"}, superElsewhere},
		{1, "stolen-family-elsewhere", []string{"feed"}, stolenFamilyElsewhere},
		{2, "stolen-access-token", []string{"live-check"}, stolenAccessToken},
		{2, "stolen-access-token-elsewhere", []string{"feed"}, stolenTokenElsewhere},
		{2, "stolen-bound-tokens", []string{"proof-bound"}, stolenBound},
		{2, "stolen-bound-token-elsewhere", []string{"resource-proof"}, stolenBoundElsewhere},
		{2, "replayed-proof", []string{"proof-once"}, replayedProof},
		{2, "forged-proof", []string{"proof-signature"}, forgedProof},
		{2, "proof-made-before", []string{"proof-nonce"}, proofMadeBefore},
		{2, "replayed-assertion", []string{"assertion-once"}, replayedAssertion},
		{2, "introspection-by-strangers", []string{"introspection-concern"}, introspectionByStrangers},
		{5, "refresh-race", []string{"same-successor"}, refreshRace},
		{6, "refresh-against-revoke", []string{"revoke-guard"}, refreshAfterRevoke},
		{7, "session-fixation", []string{"fresh-ids"}, sessionFixation},
		{7, "sign-on-fixation", []string{"fresh-ids"}, signOnFixation},
		{8, "enumeration-by-answer", []string{"same-answer"}, enumeration},
		{8, "enumeration-by-clock", []string{"beat"}, enumerationByClock},
		{9, "pre-hijack", []string{"inert-attempts"}, preHijack},
		{9, "pre-hijack-by-claim", []string{"claims-yield"}, preHijackByClaim},
		{11, "mix-up", []string{"response-iss"}, mixUp},
		{11, "code-injection", []string{"pkce"}, codeInjection},
		{11, "code-replay", []string{"code-once"}, codeReplay},
		{11, "code-substitution", []string{"code-client"}, codeSubstitution},
		{11, "client-impersonation", []string{"client-secret"}, clientImpersonation},
		{12, "link-scanner", []string{"inert-links"}, linkScanner},
		{14, "qr-relay", []string{"handoff-confirm"}, qrRelay},
		{14, "stolen-claim", []string{"handoff-key"}, stolenClaim},
		{15, "login-csrf", []string{"cross-origin"}, loginCSRF},
		{15, "login-csrf-authorize", []string{"browser-bound"}, plantedRequest},
		{16, "open-redirect", []string{"exact-redirect"}, openRedirect},
		{17, "alg-confusion", []string{"alg-bound"}, algConfusion},
		{18, "kid-injection", []string{"alg-bound"}, kidInjection},
		{19, "keys-ssrf", []string{"public-addresses"}, keysSSRF},
		{20, "host-poisoning", []string{"known-hosts"}, hostPoisoning},
		{21, "foreign-guesses", []string{"device-apart"}, foreignGuesses},
		{24, "device-code-elsewhere", []string{"device-key"}, deviceElsewhere},
		{25, "claim-injection", []string{"reserved-claims"}, claimInjection},
		{25, "supertokens-claim-injection", []string{"reserved-claims"}, superClaims},
	}
}

func refused(format string, args ...any) (Verdict, error) {
	return Verdict{Outcome: Refused, Detail: fmt.Sprintf(format, args...)}, nil
}

func contained(window time.Duration, format string, args ...any) (Verdict, error) {
	return Verdict{Outcome: Contained, Window: window, Detail: fmt.Sprintf(format, args...)}, nil
}

func succeeded(format string, args ...any) (Verdict, error) {
	return Verdict{Outcome: Succeeded, Detail: fmt.Sprintf(format, args...)}, nil
}
