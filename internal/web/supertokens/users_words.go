package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// words is the one table from reasons to the dialect's status words: what it knows is answered with 200, everything else is a refusal.
var words = map[fault.Reason]string{
	fault.ReasonInvalidCredentials: "WRONG_CREDENTIALS_ERROR",
	fault.ReasonEmailTaken:         "EMAIL_ALREADY_EXISTS_ERROR",
	fault.ReasonUnknownUser:        "UNKNOWN_USER_ID_ERROR",
	fault.ReasonUnknownRole:        "UNKNOWN_ROLE_ERROR",
	fault.ReasonUnknownMapping:     "UNKNOWN_MAPPING_ERROR",
	fault.ReasonMapped:             "USER_ID_MAPPING_ALREADY_EXISTS_ERROR",
	fault.ReasonUnknownOrg:         "TENANT_NOT_FOUND_ERROR",
	fault.ReasonVerifyGone:         "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR",
	fault.ReasonResetGone:          "RESET_PASSWORD_INVALID_TOKEN_ERROR",
	fault.ReasonEmailVerified:      "EMAIL_ALREADY_VERIFIED_ERROR",
}

// worded gives a handler whose refusals that have a word are answered by it.
func worded(h handler) handler {
	return func(ctx context.Context, r *request) (any, error) {
		out, err := h(ctx, r)
		if err == nil {
			return out, nil
		}
		f := fault.From(err)
		if word, known := words[f.Reason]; known {
			return status(word), nil
		}
		if f.Kind == fault.Invalid && len(f.Fields) > 0 && f.Reason == fault.ReasonInvalid {
			return nil, badField(f.Fields[0].Name)
		}
		return nil, err
	}
}
