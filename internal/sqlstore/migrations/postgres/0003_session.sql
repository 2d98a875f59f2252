-- +goose Up
-- A session and its refresh-token family. No index holds what every refresh changes: foreign_head is head only while that is a token of
-- another system, and dead_at, when it stopped or will stop being live, is cut down to the hour. So a
-- refresh is a heap-only update, for which each page keeps room.
CREATE TABLE session (
  tenant_id        TEXT COLLATE "C" NOT NULL,
  id               TEXT COLLATE "C" NOT NULL,
  client_id        TEXT COLLATE "C" NOT NULL,
  client_auth      BOOLEAN NOT NULL,
  opened_by        TEXT COLLATE "C" NOT NULL,
  subject          TEXT COLLATE "C" NOT NULL,
  user_id          TEXT COLLATE "C",
  epoch            BIGINT  NOT NULL,
  generation       BIGINT  NOT NULL,
  head             BYTEA NOT NULL,
  pending          BYTEA,
  foreign_head     BYTEA,
  sealed_pending   BYTEA,
  sealed_head      BYTEA,
  confirmations    TEXT COLLATE "C" NOT NULL,
  head_minted      BIGINT  NOT NULL,
  pending_minted   BIGINT  NOT NULL,
  created_at       BIGINT  NOT NULL,
  last_seen        BIGINT  NOT NULL,
  idle_expiry      BIGINT  NOT NULL,
  absolute_expiry  BIGINT  NOT NULL,
  binding          TEXT COLLATE "C" NOT NULL,
  parent_id        TEXT COLLATE "C",
  sso_id           TEXT COLLATE "C" NOT NULL,
  org_id           TEXT COLLATE "C" NOT NULL,
  device           TEXT COLLATE "C" NOT NULL,
  agent            TEXT COLLATE "C" NOT NULL,
  place            TEXT COLLATE "C" NOT NULL,
  scope            TEXT COLLATE "C" NOT NULL,
  audience         TEXT COLLATE "C" NOT NULL,
  auth_time        BIGINT  NOT NULL,
  amr              TEXT COLLATE "C" NOT NULL,
  acr              TEXT COLLATE "C" NOT NULL,
  anti_csrf        TEXT COLLATE "C" NOT NULL,
  static_key       BOOLEAN NOT NULL,
  access_payload   BYTEA,
  database_payload BYTEA,
  version          BIGINT  NOT NULL,
  revoked_at       BIGINT  NOT NULL,
  revoked_reason   TEXT COLLATE "C" NOT NULL,
  dead_at          BIGINT  NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) WITH (fillfactor = 80);
CREATE INDEX session_by_user ON session (user_id, tenant_id) WHERE user_id IS NOT NULL;
CREATE INDEX session_subject ON session (subject, tenant_id, id);
CREATE INDEX session_foreign ON session (foreign_head, tenant_id) WHERE foreign_head IS NOT NULL;
CREATE INDEX session_parent ON session (parent_id, tenant_id) WHERE parent_id IS NOT NULL;
CREATE INDEX session_dead ON session (dead_at, tenant_id);

-- The revocation feed. The counter's row lock makes the sequence gap-free and puts it in the order of commits.
CREATE TABLE revocation_counter (
  tenant_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  seq       BIGINT  NOT NULL
);

CREATE TABLE revocation (
  tenant_id TEXT COLLATE "C" NOT NULL,
  seq       BIGINT  NOT NULL,
  kind      TEXT COLLATE "C" NOT NULL,
  target    TEXT COLLATE "C" NOT NULL,
  epoch     BIGINT  NOT NULL,
  at        BIGINT  NOT NULL,
  reason    TEXT COLLATE "C" NOT NULL,
  until     BIGINT  NOT NULL,
  PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX revocation_until ON revocation (until, tenant_id);
