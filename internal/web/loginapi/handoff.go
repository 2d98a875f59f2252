package loginapi

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// CodeAnswer is a session code, for the first device to show.
type CodeAnswer struct {
	CodeID      string `json:"code_id" doc:"names the code; for POST /session/confirm"`
	SessionCode string `json:"session_code" doc:"for the second device; whoever claims it first has it"`
	ExpiresIn   int64  `json:"expires_in" doc:"life left in seconds, from here to the second device's session"`
	URL         string `json:"url" doc:"the second device's page, the code in it"`
	QRSVG       string `json:"qr_svg" doc:"url as a QR code: an SVG element without script or style"`
}

// CodeLoginBody is the optional body of POST /session/login/{session_code}.
type CodeLoginBody struct {
	ClientID string `json:"client_id,omitempty" doc:"must be the client of the first device's session"`
}

// ClaimedAnswer is a claimed code that waits for the first device.
type ClaimedAnswer struct {
	ClaimID     string `json:"claim_id"`
	ClaimSecret string `json:"claim_secret" doc:"the session is given to who holds it, and to nobody else"`
	Number      string `json:"number" doc:"two digits to show; the person types them on the first device"`
	AccountHint string `json:"account_hint" doc:"whose account, for the person to recognise"`
	Place       string `json:"place" doc:"coarse network of the first device"`
}

// ConfirmBody is the body of POST /session/confirm.
type ConfirmBody struct {
	CodeID string `json:"code_id"`
	Number string `json:"number" doc:"the two digits that the second device shows, as text"`
}

// ConfirmedAnswer answers POST /session/confirm.
type ConfirmedAnswer struct {
	Confirmed bool `json:"confirmed"`
}

// ClaimBody is the body of POST /session/claim.
type ClaimBody struct {
	ClaimID     string `json:"claim_id"`
	ClaimSecret string `json:"claim_secret"`
	ClientID    string `json:"client_id,omitempty" doc:"as at the claim"`
}

// WaitingAnswer says that the first device has not confirmed yet.
type WaitingAnswer struct {
	Waiting bool `json:"waiting"`
}

func (a *API) createCode(x *web.Exchange, live session.Live) error {
	code, err := a.cfg.Handoffs.CreateCode(x.R.Context(), x.Call, live)
	if err != nil {
		return err
	}
	svg, err := view.QR(code.URL.Reveal())
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, CodeAnswer{
		CodeID: code.ID, SessionCode: code.Code.Reveal(), ExpiresIn: seconds(code.ExpiresIn), URL: code.URL.Reveal(), QRSVG: svg,
	})
}

func (a *API) confirmCode(x *web.Exchange, live session.Live) error {
	var in ConfirmBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if err := needed("code_id", in.CodeID, "number", in.Number); err != nil {
		return err
	}
	if err := a.cfg.Handoffs.ConfirmCode(x.R.Context(), x.Call, live, in.CodeID, in.Number); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, ConfirmedAnswer{Confirmed: true})
}

func (a *API) claimCode(x *web.Exchange) error {
	var in CodeLoginBody
	if err := web.DecodeOptional(x, &in); err != nil {
		return err
	}
	m, err := a.openFor(x, in.ClientID)
	if err != nil {
		return err
	}
	key, err := a.binding(x)
	if err != nil {
		return err
	}
	claim, err := a.cfg.Handoffs.ClaimCode(x.R.Context(), x.Call, login.ClaimRequest{
		Tenant: x.Tenant, Client: x.Client, Code: secret.NewText(x.R.PathValue("session_code")), Binding: key,
	})
	if err != nil {
		return err
	}
	if claim.Tokens != nil {
		return a.handedOver(x, m, claim.Tokens)
	}
	return x.JSON(http.StatusAccepted, ClaimedAnswer{
		ClaimID: claim.ID, ClaimSecret: claim.Secret.Reveal(), Number: claim.Number, AccountHint: claim.Hint, Place: claim.Place,
	})
}

func (a *API) redeemClaim(x *web.Exchange) error {
	var in ClaimBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	m, err := a.openFor(x, in.ClientID)
	if err != nil {
		return err
	}
	if err := needed("claim_id", in.ClaimID, "claim_secret", in.ClaimSecret); err != nil {
		return err
	}
	key, err := a.binding(x)
	if err != nil {
		return err
	}
	got, err := a.cfg.Handoffs.RedeemClaim(x.R.Context(), x.Call, login.RedeemRequest{
		Tenant: x.Tenant, Client: x.Client, ID: in.ClaimID, Secret: secret.NewText(in.ClaimSecret), Binding: key,
	})
	if err != nil {
		return err
	}
	if got.Tokens == nil {
		return x.JSON(http.StatusAccepted, WaitingAnswer{Waiting: true})
	}
	return a.handedOver(x, m, got.Tokens)
}

// openFor resolves the client and settles how the tokens of the new session will travel, before anything is spent.
func (a *API) openFor(x *web.Exchange, clientID string) (mode, error) {
	if err := x.Resolve(clientID); err != nil {
		return "", err
	}
	return a.openBy(x)
}

func (a *API) handedOver(x *web.Exchange, m mode, t *session.Tokens) error {
	if m != modeBearer {
		if err := x.RenewBrowser(); err != nil {
			return err
		}
	}
	return afterLogin(m).send(x, t)
}

// handoffOperations give a login to a second device. The first two are calls of a live session, the others of a device without one.
func (a *API) handoffOperations() []operation {
	own := func(pattern string, h handler) web.Route {
		return web.Route{Method: http.MethodPost, Pattern: pattern, Handle: a.signedIn(h), Bearer: true, SelfGuard: true}
	}
	claim, redeem := post("/session/login/{session_code}", a.claimCode), post("/session/claim", a.redeemClaim)
	claim.SelfGuard, redeem.SelfGuard = true, true
	return []operation{
		{
			Route: own("/session/create", a.createCode), id: "createSessionCode", proof: ownProof, summary: "Make a code that hands this login to another device",
			answers: []answer{{http.StatusOK, CodeAnswer{}, "a code that works once, within 60 s"}},
			refuses: map[int]string{401: who, 403: fresh},
		},
		{
			Route: own("/session/confirm", a.confirmCode), id: "confirmSessionCode", in: ConfirmBody{}, proof: ownProof,
			summary: "Confirm the other device by the number it shows: one try, a wrong number ends the code",
			answers: []answer{{http.StatusOK, ConfirmedAnswer{}, "the other device gets its session"}},
			refuses: map[int]string{401: who, 403: "wrong_number, cross_origin", 409: "conflict: no device has claimed the code yet", 410: "gone"},
		},
		{
			Route: claim, id: "claimSessionCode", summary: "Claim a session code, once", in: CodeLoginBody{}, optIn: true,
			params: []param{clientHeader, modeHeader}, proof: bindsProof,
			answers: []answer{
				{http.StatusAccepted, ClaimedAnswer{}, "show the number; then ask POST /session/claim"},
				{http.StatusOK, LoginAnswer{}, "logged in at once, where the client wants no confirmation"},
			},
			refuses: map[int]string{401: badProof, 403: "wrong_client, cross_origin", 410: "gone"},
		},
		{
			Route: redeem, id: "redeemClaim", summary: "Get the session of a confirmed claim", in: ClaimBody{},
			params: []param{clientHeader, modeHeader}, proof: redeemProof,
			answers: []answer{
				{http.StatusAccepted, WaitingAnswer{}, "not confirmed yet; ask again in a second"},
				{http.StatusOK, LoginAnswer{}, "logged in: an own session, which ends with the first device's"},
			},
			refuses: map[int]string{401: "binding_mismatch, " + badProof, 403: "wrong_number, wrong_client, cross_origin", 410: "gone"},
		},
	}
}
