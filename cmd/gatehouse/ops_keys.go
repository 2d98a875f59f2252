package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

type keysCmd struct {
	List     keysListCmd     `cmd:"" help:"List signing keys and ring keys."`
	Rotate   keysRotateCmd   `cmd:"" help:"Bring the next key of a purpose into use. Nobody is logged out."`
	Withdraw keysWithdrawCmd `cmd:"" help:"Emergency: end a signing key at once; tokens that it signed are dead."`
	Rewrap   keysRewrapCmd   `cmd:"" help:"Wrap every ring key under the first of master_keys."`
}

type keysListCmd struct {
	opsFlags
	Tenant string `help:"Only this tenant (slug or id)."`
}

// keyLine is one key of the list.
type keyLine struct {
	Tenant  string `json:"tenant,omitempty"`
	ID      string `json:"id"`
	Purpose string `json:"purpose"` // sign, static, mac, seal, pepper
	Alg     string `json:"alg,omitempty"`
	State   string `json:"state"`
	Made    string `json:"made"`
	From    string `json:"from,omitempty"` // used for new values from here
	Master  string `json:"master,omitempty"`
}

// Run lists keys; nothing of a key itself is shown.
func (k *keysListCmd) Run(ctx context.Context, w world) error {
	return k.work(ctx, w, func(d *desk) error {
		items := []keyLine{}
		for i := range d.have.Tenants {
			t := &d.have.Tenants[i]
			if k.Tenant != "" && k.Tenant != t.Slug && k.Tenant != t.ID {
				continue
			}
			at := t.At(d.wall())
			rows, err := d.store.Keys().SigningKeys(ctx, t.ID, at)
			if err != nil {
				return err
			}
			items = append(items, signingLines(t, rows, at)...)
		}
		ring, err := d.ringLines(ctx)
		if err != nil {
			return err
		}
		items = append(items, ring...)
		var rows [][]string
		for _, l := range items {
			rows = append(rows, []string{l.Tenant, l.Purpose, l.ID, l.Alg, l.State, l.From, l.Made, l.Master})
		}
		return d.out.table(items, []string{"TENANT", "PURPOSE", "ID", "ALG", "STATE", "FROM", "MADE", "MASTER"}, rows)
	})
}

func signingLines(t *tenant.Tenant, rows []token.SigningKey, at time.Time) []keyLine {
	slices.SortFunc(rows, func(a, b token.SigningKey) int {
		return strings.Compare(string(a.Kind)+a.Alg+fmt.Sprintf("%020d", a.Slot), string(b.Kind)+b.Alg+fmt.Sprintf("%020d", b.Slot))
	})
	var out []keyLine
	for i, k := range rows {
		l := keyLine{Tenant: t.Slug, ID: k.KID, Purpose: "sign", Alg: k.Alg, Made: instantText(k.CreatedAt), From: instantText(k.SignsFrom)}
		newer := i+1 < len(rows) && rows[i+1].Kind == k.Kind && rows[i+1].Alg == k.Alg && !rows[i+1].SignsFrom.After(at)
		switch {
		case !k.Withdrawn.IsZero():
			l.State = "withdrawn"
		case k.Kind == token.Static:
			l.Purpose, l.State = "static", "in use"
		case k.SignsFrom.After(at):
			l.State = "announced"
		case newer:
			l.State = "verifies only"
		default:
			l.State = "in use"
		}
		out = append(out, l)
	}
	return out
}

func (d *desk) ringLines(ctx context.Context) ([]keyLine, error) {
	rows, err := d.store.Keys().RingKeys(ctx)
	if err != nil {
		return nil, err
	}
	masters, err := d.site.masters()
	if err != nil {
		return nil, err
	}
	now := d.wall()
	var out []keyLine
	for _, k := range rows {
		from := k.ActiveFrom(rows)
		l := keyLine{
			ID: strconv.FormatUint(uint64(k.ID), 10), Purpose: k.Purpose, State: "in use", Made: instantText(k.CreatedAt), From: instantText(from),
			Master: "an older one",
		}
		if masters.Current(k.Wrapped) {
			l.Master = "the first"
		}
		switch {
		case !k.RetiredAt.IsZero() && !now.Before(k.RetiredAt):
			l.State = "reads only"
		case now.Before(from):
			l.State = "announced"
		}
		out = append(out, l)
	}
	return out, nil
}

type keysRotateCmd struct {
	opsFlags
	Purpose string `help:"sign, mac, seal or pepper." enum:"sign,mac,seal,pepper" required:""`
	Tenant  string `help:"With sign: the tenant (slug or id); every tenant when absent."`
	Alg     string `help:"With sign: RS256, ES256 or EdDSA; every algorithm when absent." enum:",RS256,ES256,EdDSA" default:""`
}

// rotated is what a rotation answers.
type rotated struct {
	Purpose string `json:"purpose"`
	Tenant  string `json:"tenant,omitempty"`
	Alg     string `json:"alg,omitempty"`
	ID      string `json:"id"`
	From    string `json:"from"`
}

// Run rotates.
func (k *keysRotateCmd) Run(ctx context.Context, w world) error {
	return k.work(ctx, w, func(d *desk) error {
		tokens, _, err := d.tokens()
		if err != nil {
			return err
		}
		items := []rotated{}
		if k.Purpose == "sign" {
			items, err = k.signing(ctx, d, tokens)
		} else {
			var row token.WrappedKey
			row, err = k.ring(ctx, d, tokens)
			items = append(items, rotated{
				Purpose: k.Purpose, ID: strconv.FormatUint(uint64(row.ID), 10), From: instantText(row.CreatedAt.Add(token.RingDelay)),
			})
		}
		if err != nil {
			return err
		}
		var rows [][]string
		for _, l := range items {
			rows = append(rows, []string{l.Purpose, l.Tenant, l.Alg, l.ID, l.From})
		}
		return d.out.table(items, []string{"PURPOSE", "TENANT", "ALG", "NEW KEY", "IN USE FROM"}, rows)
	})
}

func (k *keysRotateCmd) ring(ctx context.Context, d *desk, tokens *token.Service) (token.WrappedKey, error) {
	if k.Tenant != "" || k.Alg != "" {
		return token.WrappedKey{}, errors.New("--tenant and --alg belong to --purpose sign: ring keys serve every tenant")
	}
	return tokens.RotateRing(ctx, d.call(&tenant.Tenant{}), secret.Purpose(k.Purpose))
}

func (k *keysRotateCmd) signing(ctx context.Context, d *desk, tokens *token.Service) ([]rotated, error) {
	var list []*tenant.Tenant
	if k.Tenant == "" {
		for i := range d.have.Tenants {
			list = append(list, &d.have.Tenants[i])
		}
	} else {
		t, err := d.tenant(k.Tenant)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	out := []rotated{}
	for _, t := range list {
		for _, alg := range jose.Algs() {
			if k.Alg != "" && k.Alg != alg {
				continue
			}
			key, err := tokens.RotateSigning(ctx, d.call(t), t, alg)
			if err != nil {
				return out, fmt.Errorf("tenant %s, %s: %w", t.Slug, alg, err)
			}
			out = append(out, rotated{Purpose: "sign", Tenant: t.Slug, Alg: alg, ID: key.KID, From: instantText(key.SignsFrom)})
		}
	}
	return out, nil
}

type keysWithdrawCmd struct {
	opsFlags
	KID    string `arg:"" name:"kid" help:"Key id, as keys list shows it."`
	Tenant string `help:"The tenant (slug or id)."`
}

// Run withdraws one signing key.
func (k *keysWithdrawCmd) Run(ctx context.Context, w world) error {
	return k.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(k.Tenant)
		if err != nil {
			return err
		}
		tokens, _, err := d.tokens()
		if err != nil {
			return err
		}
		if err := tokens.WithdrawSigning(ctx, d.call(t), t, k.KID); err != nil {
			return err
		}
		return d.out.value(map[string]string{"withdrawn": k.KID, "tenant": t.Slug}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is withdrawn; tokens that it signed are dead, sessions live on\n", k.KID)
			return err
		})
	})
}

type keysRewrapCmd struct{ opsFlags }

// Run wraps ring keys under the first master key.
func (k *keysRewrapCmd) Run(ctx context.Context, w world) error {
	return k.work(ctx, w, func(d *desk) error {
		tokens, _, err := d.tokens()
		if err != nil {
			return err
		}
		n, err := tokens.Rewrap(ctx, d.call(&tenant.Tenant{}))
		if err != nil {
			return err
		}
		return d.out.value(map[string]int{"rewrapped": n}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%d ring keys are wrapped anew; every one stands under the first master key\n", n)
			return err
		})
	})
}
