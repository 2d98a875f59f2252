-- +goose Up
-- The trail holds ids only; what is personal stands apart, so that erasing a person leaves the trail whole.
CREATE TABLE event (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  at         BIGINT  NOT NULL,
  type       TEXT COLLATE "C" NOT NULL,
  reason     TEXT COLLATE "C" NOT NULL,
  subject    TEXT COLLATE "C" NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  trace      TEXT COLLATE "C" NOT NULL,
  actor_kind TEXT COLLATE "C" NOT NULL,
  actor_id   TEXT COLLATE "C" NOT NULL,
  detail     TEXT COLLATE "C",
  PRIMARY KEY (id, tenant_id)
);
CREATE INDEX event_subject ON event (subject, tenant_id, id) WHERE subject <> '';
CREATE INDEX event_session ON event (session_id, tenant_id, id) WHERE session_id <> '';
CREATE INDEX event_trace ON event (trace, tenant_id) WHERE trace <> '';

CREATE TABLE event_person (
  tenant_id TEXT COLLATE "C" NOT NULL,
  event_id  TEXT COLLATE "C" NOT NULL,
  address   TEXT COLLATE "C" NOT NULL,
  agent     TEXT COLLATE "C" NOT NULL,
  email     TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (event_id, tenant_id)
);

-- What leaves after the commit, sealed; not_before is also the end of a lease.
CREATE TABLE outbox (
  id         TEXT COLLATE "C"  NOT NULL,
  tenant_id  TEXT COLLATE "C"  NOT NULL,
  kind       TEXT COLLATE "C"  NOT NULL,
  sealed     BYTEA,
  not_before BIGINT   NOT NULL,
  attempts   BIGINT   NOT NULL DEFAULT 0,
  PRIMARY KEY (id, tenant_id)
);
CREATE INDEX outbox_due ON outbox (not_before);

CREATE TABLE mailbox (
  seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL,
  id        TEXT COLLATE "C" NOT NULL,
  recipient TEXT COLLATE "C" NOT NULL,
  typed_to  TEXT COLLATE "C" NOT NULL,
  subject   TEXT COLLATE "C" NOT NULL,
  body_text TEXT COLLATE "C" NOT NULL,
  body_html TEXT COLLATE "C" NOT NULL,
  links     TEXT COLLATE "C" NOT NULL,
  codes     TEXT COLLATE "C" NOT NULL,
  at        BIGINT  NOT NULL,
  UNIQUE (tenant_id, id)
);
CREATE INDEX mailbox_newest ON mailbox (tenant_id, seq);

-- Ephemeral values, leases and limits (theoretical arrival times, microseconds).
CREATE TABLE ephemeral_value (
  id      TEXT COLLATE "C"  NOT NULL PRIMARY KEY,
  value   BYTEA NOT NULL,
  expires BIGINT   NOT NULL
);
CREATE INDEX ephemeral_value_expiry ON ephemeral_value (expires);

CREATE TABLE ephemeral_lease (
  id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  owner   TEXT COLLATE "C" NOT NULL,
  expires BIGINT  NOT NULL
);
CREATE INDEX ephemeral_lease_expiry ON ephemeral_lease (expires);

CREATE TABLE ephemeral_limit (
  id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tat BIGINT  NOT NULL
);
CREATE INDEX ephemeral_limit_tat ON ephemeral_limit (tat);
