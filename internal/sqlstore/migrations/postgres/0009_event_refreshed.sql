-- +goose Up
-- Plain refreshes are most of the trail. They stand apart, without what they never carry, and with two indexes beside the key: by session
-- and by trace. Neither is partial: PostgreSQL prepares the predicate of a partial index anew with every insert, which costs as much as an
-- index. Whoever asks by subject finds what happened to the subject, not how often a token rotated. Older ones stay where they are.
CREATE TABLE event_refreshed (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL,
  subject    TEXT COLLATE "C" NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  trace      TEXT COLLATE "C" NOT NULL,
  actor_kind TEXT COLLATE "C" NOT NULL,
  actor_id   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (id, tenant_id)
);
CREATE INDEX event_refreshed_session ON event_refreshed (session_id, tenant_id, id);
CREATE INDEX event_refreshed_trace ON event_refreshed (trace, tenant_id);
