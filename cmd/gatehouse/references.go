package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

// renewEvery is how soon a rotated secret is noticed, at the latest: with a secrets manager its own time to keep a value comes on top.
const renewEvery = 2 * time.Minute

// newResolver knows every scheme of the product.
func newResolver(log *slog.Logger) *secretref.Resolver {
	r := secretref.New()
	r.Register(secretref.AWSName, secretref.NewAWS(secretref.AWSConfig{HTTP: newWayToAWS(), Now: time.Now, Log: log}).Read)
	return r
}

// wayToAWS is our way out in the form that the SDK wants where an operator names roots to trust (AWS_CA_BUNDLE).
type wayToAWS struct{ *http.Client }

func newWayToAWS(adjust ...func(*http.Transport)) wayToAWS {
	return wayToAWS{fetch.Client(fetch.Options{Internal: true, Adjust: func(t *http.Transport) {
		for _, f := range adjust {
			f(t)
		}
	}})}
}

// WithTransportOptions is what the SDK looks for.
func (wayToAWS) WithTransportOptions(adjust ...func(*http.Transport)) aws.HTTPClient {
	return newWayToAWS(adjust...)
}

// renewSecrets takes rotated secrets into use without a restart: the admin key and the mail server's URL. Clients' secrets are read again by
// "gatehouse apply"; URLs of stores, master keys and certificates by a restart.
func (b *building) renewSecrets(ctx context.Context) {
	cfg := b.site.cfg
	var all []secretref.Followed
	if cfg.AdminKey.IsSet() {
		all = append(all, secretref.Followed{Setting: "admin_key", Ref: cfg.AdminKey.Text, Value: cfg.AdminKey.Value, Use: b.useAdminKey})
	}
	if b.site.resolver != nil && b.site.resolver.Is(cfg.SMTP.URL.Text) {
		all = append(all, secretref.Followed{Setting: "smtp.url", Ref: cfg.SMTP.URL.Text, Value: cfg.SMTP.URL.Value, Use: func(url secret.Text) error {
			return b.mail.Use(delivery.SMTP{URL: url, From: cfg.SMTP.From})
		}})
	}
	if b.site.resolver != nil && len(all) > 0 {
		b.site.resolver.Follow(ctx, b.site.renewEvery, b.site.log, all...)
	}
}

// useAdminKey takes a key into use; the one before is worth nothing from now on.
func (b *building) useAdminKey(key secret.Text) error {
	if len(key.Reveal()) < minAdminKey {
		return fmt.Errorf("it must have at least %d characters", minAdminKey)
	}
	sum := sha256.Sum256([]byte(key.Reveal()))
	b.adminKey.Store(&sum)
	return nil
}
