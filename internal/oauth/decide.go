package oauth

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// facts are all that the dispatcher decides from.
type facts struct {
	request    Request
	client     *tenant.Client
	live       *sso.Live // of the browser, nil when nobody is signed on
	hint       string    // subject of id_token_hint, "" for none
	stranger   bool      // the client requires a registration, and the person who is signed on has none
	remembered Consent   // zero when the person never consented
	acrs       []string  // that a login can reach, weakest first
	at         time.Time
}

// verdict is what comes next: a step, a refusal for the client, or a code with the scopes granted.
type verdict struct {
	step    StepKind
	refusal *fault.Error
	ask     []string
	granted []string
}

func failing(reason fault.Reason, safe string) verdict {
	return verdict{step: StepReply, refusal: invalid(reason, safe)}
}

// decide is the dispatcher's rule (OpenID Connect Core section 3.1.2.3 and .4), as a pure function: whatever step the person comes from,
// the same facts lead to the same next one.
func decide(f *facts) verdict {
	if f.request.Refused {
		return failing(fault.ReasonOAuthDenied, "the person did not allow it")
	}
	silent := f.prompts(PromptNone)
	if f.proved() && f.hint != "" && f.hint != f.live.User.ID {
		return failing(fault.ReasonOAuthLogin, "somebody else signed on than id_token_hint names")
	}
	if f.mustLogIn() {
		if silent {
			return failing(fault.ReasonOAuthLogin, "nobody is signed on, or not recently enough")
		}
		return verdict{step: StepLogin}
	}
	if !silent && f.mustChoose() {
		return verdict{step: StepChoose}
	}
	if f.stranger { // before anything is asked of them: what they allowed would be for nothing
		return verdict{step: StepReply, refusal: session.NotRegistered()}
	}
	if ask, must := f.mustConsent(); must {
		if silent {
			return failing(fault.ReasonOAuthConsent, "the person has not allowed this yet")
		}
		return verdict{step: StepConsent, ask: ask}
	}
	granted := f.granted()
	if len(granted) == 0 && len(f.request.Params.Scope) > 0 {
		return failing(fault.ReasonOAuthDenied, "the person allowed nothing of it")
	}
	return verdict{step: StepReply, granted: granted}
}

func (f *facts) prompts(value string) bool { return slices.Contains(f.request.Params.Prompt, value) }

// tied reports whether what steps of this request found out belongs to whoever is signed on now.
func (f *facts) tied() bool {
	return f.live != nil && f.request.SSOID != "" && f.request.SSOID == f.live.Session.ID
}

// proved reports whether a step of this very request proved the person; that satisfies prompt=login and max_age once.
func (f *facts) proved() bool { return f.tied() && !f.request.ProvedAt.IsZero() }

func (f *facts) mustLogIn() bool {
	switch {
	case f.live == nil, f.hint != "" && f.hint != f.live.User.ID:
		return true
	case f.proved():
		return false
	case f.prompts(PromptLogin):
		return true
	}
	return f.tooOld() || f.tooWeak()
}

func (f *facts) tooOld() bool {
	maxAge := f.client.Settings.OAuth.DefaultMaxAgeS
	if p := f.request.Params.MaxAge; p != nil {
		maxAge = *p
	} else if maxAge == 0 {
		return false
	}
	return f.at.Sub(f.live.Session.AuthTime) > time.Duration(maxAge)*time.Second
}

// tooWeak reports whether another login could bring a stronger class than the sign-on has: up to the strongest of those asked for that a
// login here can reach. What none can reach is answered with what was reached, acr_values being voluntary (OpenID Connect Core section
// 3.1.2.1); and so is a login that fell short of it, since proved goes before this.
func (f *facts) tooWeak() bool {
	strongest := -1
	for _, asked := range f.request.Params.ACRValues {
		strongest = max(strongest, slices.Index(f.acrs, asked))
	}
	return slices.Index(f.acrs, f.live.Session.ACR) < strongest
}

// mustChoose also asks when the client expects another person than the one signed on: silently going on as somebody else is how people
// end up in each other's accounts.
func (f *facts) mustChoose() bool {
	if f.tied() && (f.request.Chosen || f.proved()) {
		return false
	}
	if f.prompts(PromptSelect) {
		return true
	}
	hint := f.request.Params.LoginHint
	return strings.Contains(hint, "@") && !strings.EqualFold(strings.TrimSpace(hint), f.live.User.PrimaryEmail().Value)
}

// mustConsent says whether the person has to be asked, and for which scopes.
func (f *facts) mustConsent() (ask []string, must bool) {
	if f.tied() && f.request.Consent != nil {
		return nil, false
	}
	p := &f.request.Params
	mode := f.client.Settings.OAuth.Consent
	if f.prompts(PromptConsent) || mode == "always" {
		return p.Scope, true
	}
	if mode != "once" {
		return nil, false
	}
	for _, s := range p.Scope {
		if !slices.Contains(f.remembered.Scope, s) {
			ask = append(ask, s)
		}
	}
	return ask, len(ask) > 0 || f.remembered.ClientID == "" || !within(p.Resource, f.remembered.Resource)
}

func within(part, whole []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(whole, s) })
}

// granted is what the code is good for: all that was asked, or what the person left of it beside what they had allowed before.
func (f *facts) granted() []string {
	if !f.tied() || f.request.Consent == nil {
		return f.request.Params.Scope
	}
	allowed := f.request.Consent
	if f.client.Settings.OAuth.Consent == "once" && !f.prompts(PromptConsent) {
		allowed = union(allowed, f.remembered.Scope)
	}
	var out []string
	for _, s := range f.request.Params.Scope {
		if slices.Contains(allowed, s) {
			out = append(out, s)
		}
	}
	return out
}

// consented is the row to remember, nil when this request asked for none.
func (f *facts) consented(granted []string) *Consent {
	if !f.tied() || f.request.Consent == nil {
		return nil
	}
	c := f.remembered
	if c.ClientID == "" {
		c = Consent{TenantID: f.request.TenantID, UserID: f.live.User.ID, ClientID: f.client.ID, GrantedAt: f.at}
	}
	c.Scope, c.Resource, c.UpdatedAt = union(c.Scope, granted), union(c.Resource, f.request.Params.Resource), f.at
	return &c
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
