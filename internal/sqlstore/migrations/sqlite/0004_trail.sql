-- +goose Up
-- The trail holds ids only; what is personal stands apart, so that erasing a person leaves the trail whole.
CREATE TABLE event (
  tenant_id  TEXT NOT NULL,
  id         TEXT NOT NULL,
  at         INTEGER  NOT NULL,
  type       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  subject    TEXT NOT NULL,
  session_id TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  trace      TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  detail     TEXT,
  PRIMARY KEY (id, tenant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_subject ON event (subject, tenant_id, id) WHERE subject <> '';
CREATE INDEX event_session ON event (session_id, tenant_id, id) WHERE session_id <> '';
CREATE INDEX event_trace ON event (trace, tenant_id) WHERE trace <> '';

CREATE TABLE event_person (
  tenant_id TEXT NOT NULL,
  event_id  TEXT NOT NULL,
  address   TEXT NOT NULL,
  agent     TEXT NOT NULL,
  email     TEXT NOT NULL,
  PRIMARY KEY (event_id, tenant_id)
) STRICT, WITHOUT ROWID;

-- What leaves after the commit, sealed; not_before is also the end of a lease.
CREATE TABLE outbox (
  id         TEXT  NOT NULL,
  tenant_id  TEXT  NOT NULL,
  kind       TEXT  NOT NULL,
  sealed     BLOB,
  not_before INTEGER   NOT NULL,
  attempts   INTEGER   NOT NULL DEFAULT 0,
  PRIMARY KEY (id, tenant_id)
) STRICT;
CREATE INDEX outbox_due ON outbox (not_before);

CREATE TABLE mailbox (
  seq       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  tenant_id TEXT NOT NULL,
  id        TEXT NOT NULL,
  recipient TEXT NOT NULL,
  typed_to  TEXT NOT NULL,
  subject   TEXT NOT NULL,
  body_text TEXT NOT NULL,
  body_html TEXT NOT NULL,
  links     TEXT NOT NULL,
  codes     TEXT NOT NULL,
  at        INTEGER  NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE INDEX mailbox_newest ON mailbox (tenant_id, seq);

-- Ephemeral values, leases and limits (theoretical arrival times, microseconds).
CREATE TABLE ephemeral_value (
  id      TEXT  NOT NULL PRIMARY KEY,
  value   BLOB NOT NULL,
  expires INTEGER   NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ephemeral_value_expiry ON ephemeral_value (expires);

CREATE TABLE ephemeral_lease (
  id      TEXT NOT NULL PRIMARY KEY,
  owner   TEXT NOT NULL,
  expires INTEGER  NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ephemeral_lease_expiry ON ephemeral_lease (expires);

CREATE TABLE ephemeral_limit (
  id  TEXT NOT NULL PRIMARY KEY,
  tat INTEGER  NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ephemeral_limit_tat ON ephemeral_limit (tat);
