package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// maxBatch bounds one batch, in bytes.
const maxBatch = 1 << 20

// batch is a verified piece of the feed: everything relevant about the numbers From < n <= To.
type batch struct {
	issued         time.Time
	stream         string
	from, to, head int64
	revoked        []struct {
		Kind   string `json:"kind"`
		Target string `json:"target"`
		Epoch  int64  `json:"epoch"`
		At     int64  `json:"at"`
		Until  int64  `json:"until"`
	}
}

var errBatch = errors.New("a batch of the feed has the wrong form")

// open checks a batch as strictly as a token: the issuer's key, its own typ, age. Whoever stands between issuer and us can then neither
// make, change nor keep one.
func (f *Feed) open(ctx context.Context, raw string) (*batch, error) {
	rules := jose.Rules{Types: kind.Revocations.Types, Issuer: f.cfg.Issuer, Leeway: f.cfg.Skew, MaxSize: maxBatch}
	tok, err := f.verify(ctx, rules, raw)
	if err != nil {
		return nil, cause(err)
	}
	if _, ok := f.set.Load().find(byKey, tok.KID); ok {
		return nil, errors.New("a batch is signed by a key that was withdrawn")
	}
	if !kind.Revocations.Fits(tok) || tok.IssuedAt.IsZero() {
		return nil, errBatch
	}
	b := &batch{issued: tok.IssuedAt}
	for name, into := range map[string]any{"stream": &b.stream, "from": &b.from, "to": &b.to, "head": &b.head, "revoked": &b.revoked} {
		value, ok := tok.Claim(name)
		if !ok || json.Unmarshal(value, into) != nil {
			return nil, errBatch
		}
	}
	if b.stream == "" || b.from < 0 || b.to < b.from || b.head < b.to {
		return nil, errBatch
	}
	return b, nil
}

// verify reads the issuer's keys again when the batch names one that is not known.
func (f *Feed) verify(ctx context.Context, rules jose.Rules, raw string) (*jose.Token, error) {
	now := f.cfg.Now()
	keys, err := f.keys.usable(ctx, now)
	if err != nil {
		return nil, err
	}
	tok, err := jose.Verify(rules, keys.keys, raw, now)
	if !errors.Is(err, jose.ErrUnknownKey) {
		return tok, err
	}
	newer, fetchErr := f.keys.newer(ctx, now, keys)
	if newer == nil || fetchErr != nil {
		return nil, errors.Join(err, fetchErr)
	}
	return jose.Verify(rules, newer.keys, raw, now)
}

// cause shows the inner reason of a refusal: the outer text says only that a token is not valid.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// place is where a follower stands in a feed.
type place struct {
	stream string
	last   int64
}

// intake is what one connection brings.
type intake struct {
	feed   *Feed
	at     place
	anew   *set // of another stream: takes the old one's place when it is whole
	begun  bool
	offset time.Duration // least delay seen: the issuer's clock before ours
}

var (
	errGap     = errors.New("the feed has a gap")
	errDelayed = errors.New("the feed is held back")
)

// take brings a batch in and reports whether nothing is missing now. Errors end the connection; the next one goes on from the last number.
func (in *intake) take(b *batch) (whole bool, err error) {
	f := in.feed
	switch {
	case b.stream == in.at.stream && b.from == in.at.last:
	case !in.begun && b.from == 0: // a snapshot
		if b.stream != in.at.stream {
			in.anew = newSet()
		} // else the old entries stay: an old snapshot that somebody plays again must not bring anything back to life
		in.at = place{stream: b.stream}
	default:
		return false, fmt.Errorf("%w: at %d comes %d to %d", errGap, in.at.last, b.from, b.to)
	}
	in.begun = true
	into := in.anew
	if into == nil {
		into = f.set.Load()
	}
	if err := into.take(b, f.cfg.Skew); err != nil {
		return false, err
	}
	in.at.last = b.to
	if b.to < b.head {
		return false, nil
	}
	if in.anew != nil {
		f.set.Store(in.anew)
		in.anew = nil
	}
	f.place = in.at
	f.stats.sequence.Store(b.to)
	return true, nil
}

// Margin beyond until, because verifiers and issuers have different clocks.
const untilMargin = 5 * time.Minute

func (s *set) take(b *batch, skew time.Duration) error {
	for _, e := range b.revoked {
		k, known := targetNames[e.Kind]
		if !known {
			continue // of a newer server
		}
		if e.Target == "" || len(e.Target) > maxTarget {
			return errBatch
		}
		n := news{kind: k, id: e.Target, until: e.Until + int64((untilMargin+skew)/time.Second)}
		switch k {
		case bySubject:
			n.number = e.Epoch
		case byClient:
			n.number = e.At
		}
		s.add(n)
	}
	return nil
}

// lag is how much later than the quickest batch of this connection one came. A batch that was held back proves nothing about now.
func (in *intake) lag(b *batch) time.Duration {
	offset := b.issued.Sub(in.feed.base) - time.Since(in.feed.base)
	if in.offset == 0 || offset > in.offset {
		in.offset = offset
	}
	return in.offset - offset
}
