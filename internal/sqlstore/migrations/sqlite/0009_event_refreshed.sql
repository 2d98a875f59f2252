-- +goose Up
-- Plain refreshes are most of the trail. They stand apart, without what they never carry, and with two indexes beside the key: by session
-- and by trace. Neither is partial: PostgreSQL prepares the predicate of a partial index anew with every insert, which costs as much as an
-- index. Whoever asks by subject finds what happened to the subject, not how often a token rotated. Older ones stay where they are.
CREATE TABLE event_refreshed (
  tenant_id  TEXT NOT NULL,
  id         TEXT NOT NULL,
  at         INTEGER NOT NULL,
  subject    TEXT NOT NULL,
  session_id TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  trace      TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  PRIMARY KEY (id, tenant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_refreshed_session ON event_refreshed (session_id, tenant_id, id);
CREATE INDEX event_refreshed_trace ON event_refreshed (trace, tenant_id);
