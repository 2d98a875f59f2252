package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type people struct{ e engine }

// People finds accounts of the recipe room.
func (s *Store) People() recipe.People { return people{s.e} }

// accountText reads accounts, one row for every pair of identifier and membership; from names the users as u.
func accountText(from, order string) string {
	return `SELECT ` + qualified("u", userColumns) + `, ` + qualified("i", identifierColumns) + `, c.id, x.external_id, b.user_id, n.user_id, m.org_id
		FROM ` + from + `
		LEFT JOIN identifier i ON i.user_id = u.id AND i.tenant_id || '' = $1
		LEFT JOIN credential c ON c.user_id = u.id AND c.tenant_id || '' = $1 AND c.kind = 'password'
		LEFT JOIN external_name x ON x.user_id = u.id AND x.tenant_id || '' = $1
		LEFT JOIN primary_user b ON b.user_id = u.id AND b.tenant_id || '' = $1
		LEFT JOIN not_public n ON n.user_id = u.id AND n.tenant_id || '' = $1
		LEFT JOIN membership m ON m.user_id = u.id AND m.tenant_id || '' = $1 ` + order
}

// pageText chooses a page of users. $2 and $3 are the place to go on from, $4 the limit; the rest narrows.
func pageText(after, direction string) string {
	return accountText(`(SELECT p.id AS page_id FROM app_user p WHERE p.tenant_id = $1 AND p.status <> 'deleted'
			AND (p.created_at `+after+` $2 OR p.created_at = $2 AND p.id `+after+` $3) AND `+pageFilter+`
			ORDER BY p.created_at `+direction+`, p.id `+direction+` LIMIT $4) page
		JOIN app_user u ON u.id = page.page_id AND u.tenant_id || '' = $1`, `ORDER BY u.created_at `+direction+`, u.id `+direction)
}

// pageFilter: $5 organisation, $6 with a password, $7 without one, $8 prefixes of addresses as JSON, "" for any.
const pageFilter = `($5 = '' OR CASE WHEN $5 = 'public' THEN NOT EXISTS (SELECT 1 FROM not_public n2 WHERE n2.user_id = p.id AND n2.tenant_id || '' = $1)
			ELSE EXISTS (SELECT 1 FROM membership m2 WHERE m2.user_id = p.id AND m2.org_id = $5 AND m2.tenant_id || '' = $1) END)
		AND ($6 = 0 OR EXISTS (SELECT 1 FROM credential c2 WHERE c2.user_id = p.id AND c2.tenant_id || '' = $1 AND c2.kind = 'password'))
		AND ($7 = 0 OR NOT EXISTS (SELECT 1 FROM credential c3 WHERE c3.user_id = p.id AND c3.tenant_id || '' = $1 AND c3.kind = 'password'))
		AND ($8 = '' OR EXISTS (SELECT 1 FROM identifier i2 WHERE i2.user_id = p.id AND i2.tenant_id || '' = $1 AND i2.kind = 'email' AND {prefix}))`

const (
	litePrefix = `EXISTS (SELECT 1 FROM json_each(CASE WHEN $8 = '' THEN '[]' ELSE $8 END) t
		WHERE substr(i2.value, 1, length(t.value)) = t.value OR substr(i2.value, instr(i2.value, '@') + 1, length(t.value)) = t.value)`
	postgresPrefix = `EXISTS (SELECT 1 FROM json_array_elements_text(CASE WHEN $8 = '' THEN '[]' ELSE $8 END ::json) t (value)
		WHERE substr(i2.value, 1, length(t.value)) = t.value OR substr(i2.value, strpos(i2.value, '@') + 1, length(t.value)) = t.value)`
)

// prefixed puts each engine's way of reading a JSON list in; list is the placeholder that holds it.
func prefixed(text, list string) *stmt {
	fill := func(condition string) string {
		return strings.Replace(text, "{prefix}", strings.ReplaceAll(condition, "$8", list), 1)
	}
	return pair(fill(litePrefix), fill(postgresPrefix))
}

var (
	accountGet = hot(both(accountText(`app_user u`, `WHERE u.tenant_id = $1 AND u.status <> 'deleted'
		AND u.id = COALESCE((SELECT e.user_id FROM external_name e WHERE e.external_id = $2 AND e.tenant_id || '' = $1), $2)
		ORDER BY i.kind, i.value, m.org_id`)))
	accountByEmail = hot(both(accountText(`app_user u`, `WHERE u.tenant_id = $1 AND u.status <> 'deleted'
		AND u.id = (SELECT k.user_id FROM identifier k WHERE k.value = $2 AND k.kind = 'email' AND k.tenant_id || '' = $1)
		ORDER BY i.kind, i.value, m.org_id`)))
	// Lists walk the tenant in the order of joining.
	accountsOldest = prefixed(pageText(">", "ASC"), "$8")
	accountsNewest = prefixed(pageText("<", "DESC"), "$8")
	accountsCount  = prefixed(strings.NewReplacer("$5", "$2", "$6", "$3", "$7", "$4", "$8", "$5").Replace(
		`SELECT count(*) FROM app_user p WHERE p.tenant_id = $1 AND p.status <> 'deleted' AND `+pageFilter), "$5")
)

// Get reads one account.
func (s people) Get(ctx context.Context, tenantID, id string) (recipe.Account, error) {
	return s.one(ctx, accountGet, tenantID, id)
}

// ByEmail reads the account of an address.
func (s people) ByEmail(ctx context.Context, tenantID, email string) (recipe.Account, error) {
	return s.one(ctx, accountByEmail, tenantID, email)
}

func (s people) one(ctx context.Context, st *stmt, tenantID, key string) (recipe.Account, error) {
	all, err := s.list(ctx, st, tenantID, key)
	if err == nil && len(all) == 0 {
		err = noUser()
	}
	if err != nil {
		return recipe.Account{}, err
	}
	return all[0], nil
}

// Page gives accounts in the order of joining.
func (s people) Page(ctx context.Context, pq recipe.PageQuery) ([]recipe.Account, error) {
	st, at, id := accountsOldest, micros(pq.After.JoinedAt), pq.After.UserID
	if pq.Newest {
		st = accountsNewest
	}
	if pq.Newest && pq.After == (recipe.Cursor{}) {
		at, id = 1<<62, lastID
	}
	if !pq.Newest && pq.After == (recipe.Cursor{}) {
		at = -1 << 62
	}
	return s.list(ctx, st, append(in{pq.TenantID, at, id, int64(pq.Limit)}, filterArgs(pq)...)...)
}

// Count counts.
func (s people) Count(ctx context.Context, pq recipe.PageQuery) (n int64, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		_, err := q.row(accountsCount, append(in{pq.TenantID}, filterArgs(pq)...), &n)
		return err
	})
	return n, err
}

func filterArgs(pq recipe.PageQuery) in {
	f := pq.Filter
	return in{pq.Org, number(f.Passwords), number(f.NoPasswords), list(f.EmailPrefix)}
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func (s people) list(ctx context.Context, st *stmt, args ...any) (out []recipe.Account, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(st, args, func(scan scanner) error { return scanAccount(scan, &out) })
	})
	for i := range out {
		slices.Sort(out[i].Orgs)
	}
	return out, err
}

// scanAccount takes one row: rows of one account follow each other.
func scanAccount(scan scanner, into *[]recipe.Account) error {
	var u userRow
	var i identifierRow
	var password, external, primary, left, org *string
	if err := scan(append(append(u.dest(), i.dest()...), &password, &external, &primary, &left, &org)...); err != nil {
		return err
	}
	if n := len(*into); n == 0 || (*into)[n-1].User.ID != *u.id {
		a := recipe.Account{User: u.user(), HasPassword: password != nil, External: orEmpty(external), Primary: primary != nil}
		if left == nil {
			a.Orgs = append(a.Orgs, recipe.Public)
		}
		*into = append(*into, a)
	}
	a := &(*into)[len(*into)-1]
	if org != nil && !slices.Contains(a.Orgs, *org) {
		a.Orgs = append(a.Orgs, *org)
	}
	if i.kind != nil && !slices.ContainsFunc(a.User.Identifiers, func(k user.Identifier) bool { return string(k.Kind) == *i.kind && k.Value == *i.value }) {
		i.addTo(&a.User)
	}
	return nil
}
