package revocation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// batchEntries bounds one batch: with long client ids it stays below what followers accept.
const batchEntries = 500

// batchLife is how long a batch may be under way. Followers refuse older ones, so that nobody can play them an old feed.
const batchLife = 30 * time.Second

// Margin is how long after the last affected token's death an entry is still told: verifiers allow for clocks that differ.
const Margin = 5 * time.Minute

// Batch is one signed piece of a feed. It says everything that is relevant about the numbers From < n <= To; the next one continues at To.
// One without entries is a sign of life: up to To nothing is missing.
type Batch struct {
	Text     string // compact JWS
	From, To int64
	Entries  int
}

// claims are signed, so that whoever stands between cannot leave out, exchange or repeat anything unnoticed.
type claims struct {
	Issuer    string  `json:"iss"`
	TenantID  string  `json:"tid"`
	IssuedAt  int64   `json:"iat"`
	ExpiresAt int64   `json:"exp"`
	Stream    string  `json:"stream"`
	From      int64   `json:"from"`
	To        int64   `json:"to"`
	Head      int64   `json:"head"` // the follower is up to date when To reaches it
	Revoked   []event `json:"revoked"`
}

// event is one entry as followers see it.
type event struct {
	Seq    int64  `json:"seq"`
	Kind   string `json:"kind"`
	Target string `json:"target"`
	Epoch  int64  `json:"epoch,omitempty"`
	At     int64  `json:"at"`    // seconds, rounded up: a token issued in the same second is meant too
	Until  int64  `json:"until"` // seconds, rounded up
	Reason string `json:"reason,omitempty"`
}

// piece is what is to be signed.
type piece struct {
	stream         string
	from, to, head int64
	entries        []Entry
}

func (f *Feed) sign(ctx context.Context, t *tenant.Tenant, p piece) (Batch, error) {
	at := t.At(f.cfg.Now())
	c := claims{
		Issuer: t.Issuer, TenantID: t.ID, IssuedAt: at.Unix(), ExpiresAt: at.Add(batchLife).Unix(),
		Stream: p.stream, From: p.from, To: p.to, Head: p.head, Revoked: events(p.entries),
	}
	body, err := json.Marshal(c)
	if err != nil {
		return Batch{}, err
	}
	text, err := f.cfg.Signer.Sign(ctx, t, token.Shape{Key: token.Rotating, Alg: jose.ES256, Type: kind.Revocations.Types[0]}, at, body)
	if err != nil {
		return Batch{}, err
	}
	f.signed.Add(1)
	return Batch{Text: text, From: p.from, To: p.to, Entries: len(p.entries)}, nil
}

func events(entries []Entry) []event {
	out := make([]event, 0, len(entries))
	if weak.Off("feed") {
		return out
	}
	for _, e := range entries {
		out = append(out, event{
			Seq: e.Seq, Kind: e.Kind, Target: e.Target, Epoch: e.Epoch, At: ceil(e.At), Until: ceil(e.Until), Reason: e.Reason,
		})
	}
	return out
}

func ceil(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// span signs everything relevant after < n <= head.Seq, at least one batch.
func (f *Feed) span(ctx context.Context, t *tenant.Tenant, head Head, after int64) ([]Batch, error) {
	var out []Batch
	at := t.At(f.cfg.Now()).Add(-Margin)
	for {
		page, err := f.cfg.Store.Page(ctx, Span{TenantID: t.ID, After: after, UpTo: head.Seq, At: at}, batchEntries)
		if err != nil {
			return nil, err
		}
		p := piece{stream: head.Stream, from: after, to: head.Seq, head: head.Seq, entries: page}
		if len(page) == batchEntries {
			p.to = page[len(page)-1].Seq
		}
		b, err := f.sign(ctx, t, p)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
		if after = p.to; after == head.Seq {
			return out, nil
		}
	}
}
