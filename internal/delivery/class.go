package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"

	gomail "github.com/wneessen/go-mail"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// class says what kind of error err is, in words that hold no address, no host and no text of the other side.
func class(err error) string {
	var refusal *gomail.SendError
	var network *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refusal) && refusal.ErrorCode() > 0:
		return "the mail server answered " + strconv.Itoa(refusal.ErrorCode())
	case errors.As(err, &cert):
		return "the mail server's certificate is not trusted"
	case errors.Is(err, context.DeadlineExceeded):
		return "the mail server did not answer in time"
	case errors.As(err, &network):
		return "the mail server cannot be reached (" + network.Op + ")"
	case errors.Is(err, secret.ErrNoKey), errors.Is(err, secret.ErrSealed):
		return "the message does not open"
	case errors.Is(err, errNoServer):
		return errNoServer.Error()
	case errors.Is(err, errRefused):
		return errRefused.Error()
	}
	return "other"
}
