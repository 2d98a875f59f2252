package loginapi

import (
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// Proofs checks the proof of possession (RFC 9449) of a call and spends it; access is the token that it must name, empty where tokens are
// asked for. It gives the thumbprint of the key, "" for a call without a proof.
type Proofs func(x *web.Exchange, access secret.Text) (thumbprint string, err error)

func (a *API) proof(x *web.Exchange, access secret.Text) (string, error) {
	if a.cfg.Proofs == nil {
		return "", nil
	}
	return a.cfg.Proofs(x, access)
}

// binding is the key that the call proves where tokens are asked for, "" for none: a new session is bound to it, whatever the client is, since
// no client shows a secret here. A client that must bind is refused without one.
func (a *API) binding(x *web.Exchange) (string, error) {
	key, err := a.proof(x, secret.Text{})
	if err == nil && key == "" && x.Client != nil && x.Client.Settings.OAuth.DPoPRequired {
		err = fault.New(fault.Unauthenticated, fault.ReasonOAuthProof, "this application must bind its sessions to a key")
	}
	return key, err
}

// possession refuses a token that is bound to a key unless the call proves that key, and one that came as bound and is not (RFC 9449
// section 7.1). A bound token that comes as a bearer token is refused even beside a proof: whoever forgets the scheme forgets the proof.
func (a *API) possession(x *web.Exchange, access secret.Text, explicit bool, key string) error {
	if weak.Off("proof-bound") {
		return nil
	}
	mismatch := func(safe string) error { return fault.New(fault.Unauthenticated, fault.ReasonBindingMismatch, safe) }
	switch {
	case key == "" && x.Bound():
		return mismatch("this token is bound to no key")
	case key == "":
		return nil
	case explicit && !x.Bound():
		return mismatch("this token is bound to a key, and came as a bearer token")
	}
	shown, err := a.proof(x, access)
	if err != nil {
		return err
	}
	if shown != key {
		return mismatch("this token is bound to a key, and no proof of it was sent")
	}
	return nil
}
