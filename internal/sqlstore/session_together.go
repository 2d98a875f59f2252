package sqlstore

import "strings"

// The hot statements about sessions for many at once.

// plainRotation is what nearly every refresh writes: the rotating part of its row, and one line of the trail.
var plainRotation = shape{verb: "rotate", events: 1, plain: [maxInline]bool{true}}

// rotateTogether is plainRotation. held takes the rows that are as their callers saw them and that nobody else has locked; they stay locked
// until the commit, so what the guard saw still holds when they are written. Of two that want one row, one writes it.
var rotateTogether = &together{writes: true, types: rotateTypes, text: tidy(`
	WITH held AS (
		SELECT w.* FROM ` + unnested(rotateTypes, rotateColumns) + ` JOIN session s ON s.id = w.id AND s.tenant_id = w.tenant_id
		WHERE s.version = w.version AND s.revoked_at = 0 FOR NO KEY UPDATE OF s SKIP LOCKED),
	done AS (
		UPDATE session s SET generation = w.generation, head = w.head, pending = w.pending, sealed_pending = w.sealed_pending,
			sealed_head = w.sealed_head, confirmations = w.confirmations, head_minted = w.head_minted, pending_minted = w.pending_minted,
			last_seen = w.last_seen, idle_expiry = w.idle_expiry, version = s.version + 1
		FROM held w WHERE s.id = w.id AND s.tenant_id = w.tenant_id AND s.version = w.version AND s.revoked_at = 0 RETURNING w.*),
	e AS (INSERT INTO event_refreshed (` + refreshColumns + `)
		SELECT event_tenant, event_id, at, subject, session_id, client_id, trace, actor_kind, actor_id FROM done)
	SELECT n, 1::bigint FROM done`)}

// rotateColumns are what rotateText and refreshColumns take, in their order.
const rotateColumns = `generation, head, pending, sealed_pending, sealed_head, confirmations, head_minted, pending_minted, last_seen,
	idle_expiry, tenant_id, id, version, event_tenant, event_id, at, subject, session_id, client_id, trace, actor_kind, actor_id`

var rotateTypes = strings.Fields(`bigint bytea bytea bytea bytea text bigint bigint bigint bigint text text bigint
	text text bigint text text text text text text`)

// loadTogether is loadByID.
var loadTogether = &together{types: loadTypes, text: tidy(`SELECT w.n, ` + qualified("s", sessionColumns) + `, ` + holderColumns + ` FROM ` +
	unnested(loadTypes, "tenant_id, id, client_id") + ` JOIN session s ON s.tenant_id = w.tenant_id AND s.id = w.id` +
	strings.NewReplacer("$1", "w.tenant_id", "$3", "w.client_id").Replace(holderJoins))}

var loadTypes = []string{"text", "text", "text"}

// guardTogether is sessionGuard.
var guardTogether = &together{types: guardTypes, text: tidy(`SELECT w.n, 1::bigint FROM ` + unnested(guardTypes, "tenant_id, id, version") + `
	JOIN session s ON s.tenant_id = w.tenant_id AND s.id = w.id WHERE s.version = w.version AND s.revoked_at = 0`)}

var guardTypes = []string{"text", "text", "bigint"}
