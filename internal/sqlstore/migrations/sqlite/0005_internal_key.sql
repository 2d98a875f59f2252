-- +goose Up
-- Keys of a company's own services. hash is SHA-256 of the random key; scopes is a JSON list.
CREATE TABLE internal_key (
  tenant_id  TEXT NOT NULL REFERENCES tenant (id),
  id         TEXT NOT NULL,
  name       TEXT NOT NULL,
  hash       BLOB NOT NULL,
  scopes     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used  INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,
  PRIMARY KEY (id, tenant_id),
  UNIQUE (hash, tenant_id)
) STRICT;
CREATE INDEX internal_key_tenant ON internal_key (tenant_id, id);
