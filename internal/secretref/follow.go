package secretref

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Followed is a reference whose secret may be rotated while the program runs.
type Followed struct {
	Setting string // for the log
	Ref     string
	Value   secret.Text             // in use
	Use     func(secret.Text) error // takes a new one into use, or refuses it
}

// Follow reads every reference again at each interval until ctx ends, and hands on what changed. A reference that cannot be read, or whose new
// secret is refused, is logged, and the old one stays in use.
func (r *Resolver) Follow(ctx context.Context, every time.Duration, log *slog.Logger, all ...Followed) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i := range all {
			r.followOne(ctx, log, &all[i])
		}
	}
}

func (r *Resolver) followOne(ctx context.Context, log *slog.Logger, f *Followed) {
	value, err := r.Resolve(ctx, f.Ref)
	switch {
	case ctx.Err() != nil, err == nil && value.Reveal() == f.Value.Reveal():
		return
	case err == nil:
		err = f.Use(value)
	}
	if err != nil {
		log.WarnContext(ctx, "a secret was not renewed; the old one stays in use", "setting", f.Setting, "error", err.Error())
		return
	}
	f.Value = value
	log.InfoContext(ctx, "a secret was renewed", "setting", f.Setting)
}
