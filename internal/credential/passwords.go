package credential

import (
	"context"
	"crypto/subtle"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// pepperContext separates passwords from other uses of the pepper key.
const pepperContext = "password"

// Passwords hashes and checks passwords. It is safe for concurrent use.
//
// A password is brought to NFC (so that every keyboard's way of writing an accent gives one password), mixed with a pepper key that is not in
// the database (so that a dump alone cannot be guessed at), and hashed with argon2id.
type Passwords struct {
	ring  *secret.Ring
	want  params
	queue *queue
	decoy phc
	count counters
}

// NewPasswords makes a hasher; zero fields of cfg take their default. It panics on parameters that Validate refuses: they come from
// configuration that was validated, and hashing with less than asked for is not an answer.
func NewPasswords(ring *secret.Ring, cfg Config) *Passwords {
	cfg = cfg.filled()
	if err := cfg.Validate(); err != nil {
		panic("credential: " + err.Error())
	}
	return &Passwords{
		ring: ring, want: cfg.params(), queue: newQueue(cfg.Parallel, cfg.Queue, cfg.Wait),
		decoy: phc{params: cfg.params(), salt: make([]byte, saltBytes), sum: make([]byte, sumBytes)},
	}
}

// Hash makes a credential (without UserID) of a password that CheckNew passed. Busy is fault.Unavailable with ReasonBusy.
func (p *Passwords) Hash(ctx context.Context, pw secret.Text, at time.Time) (Password, error) {
	pepperID, input, err := p.ring.Pepper(pepperContext, normal(pw))
	if err != nil {
		return Password{}, fault.From(err)
	}
	h := phc{params: p.want, salt: secret.Bytes(saltBytes), sum: make([]byte, sumBytes)}
	if h.sum, err = p.derive(ctx, input, h); err != nil {
		return Password{}, err
	}
	p.count.hashed.Add(1)
	return Password{ID: secret.NewID(at), PHC: h.String(), PepperID: pepperID, CreatedAt: at, UpdatedAt: at}, nil
}

// Verify checks pw against a stored credential, comparing in constant time. rehash says that the password is right and the stored form is
// weaker than a new one would be: cheaper parameters, or an old pepper or none. A stored form that cannot be read, or whose pepper key is
// gone, is an Internal error, after the same work.
func (p *Passwords) Verify(ctx context.Context, pw secret.Text, stored Password) (ok, rehash bool, err error) {
	h, errForm := parsePHC(stored.PHC)
	if errForm != nil {
		if other, err := parseImported(stored.PHC); err == nil && stored.PepperID == 0 {
			return p.verifyImported(ctx, pw, other)
		}
		h = p.decoy
	}
	input, errPepper := p.peppered(pw, stored.PepperID)
	got, err := p.derive(ctx, input, h)
	if err != nil {
		return false, false, err
	}
	p.count.verified.Add(1)
	if errForm != nil {
		return false, false, fault.From(errForm)
	}
	if errPepper != nil {
		return false, false, fault.From(errPepper)
	}
	ok = subtle.ConstantTimeCompare(got, h.sum) == 1
	return ok, ok && p.due(h, stored.PepperID), nil
}

// verifyImported checks a password against another system's hash. Where it is wrong a hash of today's parameters is worked too: most old
// forms are so cheap that a quick refusal would tell strangers which addresses have an account. Where it is right the form is replaced.
func (p *Passwords) verifyImported(ctx context.Context, pw secret.Text, stored imported) (ok, rehash bool, err error) {
	leave, err := p.queue.enter(ctx)
	if err != nil {
		p.count.refused.Add(1)
		return false, false, err
	}
	ok = stored.matches(normal(pw), []byte(pw.Reveal()))
	leave()
	p.count.verified.Add(1)
	if !ok {
		if _, err := p.derive(ctx, normal(pw), p.decoy); err != nil {
			return false, false, err
		}
	}
	return ok, ok, nil
}

// Decoy does the work of Verify for somebody who has no password, so that a clock does not tell who has one. It costs what a hash of today's
// parameters costs: accounts not seen since the parameters were raised still differ, until their next login.
func (p *Passwords) Decoy(ctx context.Context, pw secret.Text) error {
	h, err := parsePHC(p.decoy.String())
	if err != nil {
		return fault.From(err)
	}
	_, input, err := p.ring.Pepper(pepperContext, normal(pw))
	if err != nil {
		return fault.From(err)
	}
	got, err := p.derive(ctx, input, h)
	if err != nil {
		return err
	}
	p.count.decoys.Add(1)
	_ = subtle.ConstantTimeCompare(got, h.sum)
	return nil
}

// peppered gives the argon2 input for a stored credential: the plain normalised password when it was imported without a pepper. On an unknown
// pepper key the input is unusable but present, so that the work can be done all the same.
func (p *Passwords) peppered(pw secret.Text, id uint32) ([]byte, error) {
	plain := normal(pw)
	if id == 0 {
		return plain, nil
	}
	input, err := p.ring.PepperWith(id, pepperContext, plain)
	if err != nil {
		return plain, err
	}
	return input, nil
}

func (p *Passwords) due(h phc, pepperID uint32) bool {
	active, _, err := p.ring.Pepper(pepperContext, nil)
	return err == nil && (pepperID != active || h.weaker(p.want) || len(h.salt) < saltBytes || len(h.sum) < sumBytes)
}

// derive runs argon2id for h when its turn comes.
func (p *Passwords) derive(ctx context.Context, input []byte, h phc) ([]byte, error) {
	leave, err := p.queue.enter(ctx)
	if err != nil {
		p.count.refused.Add(1)
		return nil, err
	}
	defer leave()
	return argon2.IDKey(input, h.salt, h.passes, h.memory, h.lanes, uint32(len(h.sum))), nil
}

func normal(pw secret.Text) []byte { return norm.NFC.Bytes([]byte(pw.Reveal())) }
