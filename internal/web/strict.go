package web

import (
	"encoding/json"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

func strictDecode(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return fault.New(fault.Invalid, fault.ReasonInvalid, "a field has the wrong type").
			WithFields(fault.Field{Name: wrong.Field, Message: "wrong type"})
	}
	return fault.New(fault.Invalid, fault.ReasonMalformed, "the body is not valid JSON")
}
