-- +goose Up
-- Keys of a company's own services. hash is SHA-256 of the random key; scopes is a JSON list.
CREATE TABLE internal_key (
  tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  id         TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  hash       BYTEA NOT NULL,
  scopes     TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  last_used  BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  PRIMARY KEY (id, tenant_id),
  UNIQUE (hash, tenant_id)
);
CREATE INDEX internal_key_tenant ON internal_key (tenant_id, id);
