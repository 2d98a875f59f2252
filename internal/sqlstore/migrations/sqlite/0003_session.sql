-- +goose Up
-- A session and its refresh-token family. No index holds what every refresh changes: foreign_head is head only while that is a token of
-- another system, and dead_at, when it stopped or will stop being live, is cut down to the hour.
CREATE TABLE session (
  tenant_id        TEXT NOT NULL,
  id               TEXT NOT NULL,
  client_id        TEXT NOT NULL,
  client_auth      INTEGER NOT NULL,
  opened_by        TEXT NOT NULL,
  subject          TEXT NOT NULL,
  user_id          TEXT,
  epoch            INTEGER  NOT NULL,
  generation       INTEGER  NOT NULL,
  head             BLOB NOT NULL,
  pending          BLOB,
  foreign_head     BLOB,
  sealed_pending   BLOB,
  sealed_head      BLOB,
  confirmations    TEXT NOT NULL,
  head_minted      INTEGER  NOT NULL,
  pending_minted   INTEGER  NOT NULL,
  created_at       INTEGER  NOT NULL,
  last_seen        INTEGER  NOT NULL,
  idle_expiry      INTEGER  NOT NULL,
  absolute_expiry  INTEGER  NOT NULL,
  binding          TEXT NOT NULL,
  parent_id        TEXT,
  sso_id           TEXT NOT NULL,
  org_id           TEXT NOT NULL,
  device           TEXT NOT NULL,
  agent            TEXT NOT NULL,
  place            TEXT NOT NULL,
  scope            TEXT NOT NULL,
  audience         TEXT NOT NULL,
  auth_time        INTEGER  NOT NULL,
  amr              TEXT NOT NULL,
  acr              TEXT NOT NULL,
  anti_csrf        TEXT NOT NULL,
  static_key       INTEGER NOT NULL,
  access_payload   BLOB,
  database_payload BLOB,
  version          INTEGER  NOT NULL,
  revoked_at       INTEGER  NOT NULL,
  revoked_reason   TEXT NOT NULL,
  dead_at          INTEGER  NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX session_by_user ON session (user_id, tenant_id) WHERE user_id IS NOT NULL;
CREATE INDEX session_subject ON session (subject, tenant_id, id);
CREATE INDEX session_foreign ON session (foreign_head, tenant_id) WHERE foreign_head IS NOT NULL;
CREATE INDEX session_parent ON session (parent_id, tenant_id) WHERE parent_id IS NOT NULL;
CREATE INDEX session_dead ON session (dead_at, tenant_id);

-- The revocation feed. The counter's row lock makes the sequence gap-free and puts it in the order of commits.
CREATE TABLE revocation_counter (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  seq       INTEGER  NOT NULL
) STRICT;

CREATE TABLE revocation (
  tenant_id TEXT NOT NULL,
  seq       INTEGER  NOT NULL,
  kind      TEXT NOT NULL,
  target    TEXT NOT NULL,
  epoch     INTEGER  NOT NULL,
  at        INTEGER  NOT NULL,
  reason    TEXT NOT NULL,
  until     INTEGER  NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) STRICT;
CREATE INDEX revocation_until ON revocation (until, tenant_id);
