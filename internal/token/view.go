package token

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// held is a key ready for use. Its private half is opened when it first signs: most keys only verify.
type held struct {
	row    SigningKey
	public *jose.PublicKey
	signer func() (jose.Signer, error)
	stamp  func() (*jose.Stamp, error) // for user access tokens
}

// view is everything one tenant's requests need, replaced whole.
type view struct {
	rows   []SigningKey
	plan   Plan
	lanes  map[string][]*held // rotating keys by algorithm, in the order of slots
	static []*held            // static keys in the order of slots; the first one signs
	user   jose.Keys          // published keys that may sign user tokens: never a static one
	every  jose.Keys          // every published key: for kinds that a static key may sign
	jwks   []byte             // nil before the first key
	rsa    []byte             // the same of the RSA keys alone
	known  map[string]*held
}

// newView builds the view of rows; keys that old has open already are taken over. broken gets the keys that cannot be read.
func newView(rows []SigningKey, plan Plan, old *view, h Holder, broken func(kid string, err error)) *view {
	v := &view{rows: rows, plan: plan, lanes: map[string][]*held{}, user: jose.Keys{}, every: jose.Keys{}, known: map[string]*held{}}
	var jwks, rsa [][]byte
	for _, row := range plan.Published {
		k, err := hold(row, old, h)
		if err != nil {
			broken(row.KID, err)
			continue
		}
		v.known[row.KID] = k
		v.every[row.KID] = k.public
		jwks = append(jwks, row.PublicJWK)
		if row.Alg == jose.RS256 {
			rsa = append(rsa, row.PublicJWK)
		}
		if row.Kind == Rotating {
			v.user[row.KID] = k.public
		} else {
			v.static = append(v.static, k)
		}
	}
	slices.SortFunc(v.static, func(a, b *held) int { return cmp.Compare(a.row.Slot, b.row.Slot) })
	for _, alg := range jose.Algs() {
		for _, row := range lane(rows, alg) {
			if k := v.known[row.KID]; k != nil {
				v.lanes[alg] = append(v.lanes[alg], k)
			}
		}
	}
	if len(jwks) > 0 {
		v.jwks = jose.JWKS(jwks...)
	}
	if len(rsa) > 0 {
		v.rsa = jose.JWKS(rsa...)
	}
	return v
}

func hold(row SigningKey, old *view, h Holder) (*held, error) {
	if old != nil {
		if k := old.known[row.KID]; k != nil {
			return &held{row: row, public: k.public, signer: k.signer, stamp: k.stamp}, nil // the row may have moved
		}
	}
	public, err := jose.ParseJWK(row.PublicJWK)
	if err != nil {
		return nil, err
	}
	if public.KID() != row.KID || public.Alg() != row.Alg {
		return nil, jose.ErrKey
	}
	k := &held{row: row, public: public}
	k.signer = sync.OnceValues(func() (jose.Signer, error) { return h.Handle(row) })
	k.stamp = sync.OnceValues(func() (*jose.Stamp, error) {
		signer, err := k.signer()
		if err != nil {
			return nil, err
		}
		return jose.NewStamp(signer, kind.User.Types[0])
	})
	return k, nil
}

// signer is the key of alg that signs at an instant, nil while there is none.
func (v *view) signer(alg string, at time.Time) *held {
	if v == nil {
		return nil
	}
	keys := v.lanes[alg]
	for i := len(keys) - 1; i >= 0; i-- {
		if i == 0 || !keys[i].row.SignsFrom.After(at) {
			return keys[i]
		}
	}
	return nil
}
