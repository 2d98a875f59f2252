-- +goose Up
-- Tokens of services. The signed token itself is kept nowhere; claims is the JSON object of its custom claims, audience a JSON list, maker_*
-- who asked for it. jti is not unique: who makes its own claims may use one twice.
CREATE TABLE service_token (
  tenant_id  TEXT NOT NULL REFERENCES tenant (id),
  id         TEXT NOT NULL,
  jti        TEXT NOT NULL,
  name       TEXT NOT NULL,
  issuer     TEXT NOT NULL,
  claims     TEXT NOT NULL,
  audience   TEXT NOT NULL,
  key_kind   TEXT NOT NULL,
  kid        TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,
  face       TEXT NOT NULL,
  maker_kind TEXT NOT NULL,
  maker_id   TEXT NOT NULL,
  PRIMARY KEY (id, tenant_id)
) STRICT;
CREATE INDEX service_token_jti ON service_token (jti, tenant_id);
CREATE INDEX service_token_tenant ON service_token (tenant_id, id);
CREATE INDEX service_token_expires ON service_token (tenant_id, expires_at);

-- A rotating key stays published until the last long token that it signed expires.
ALTER TABLE signing_key ADD COLUMN keep_until INTEGER NOT NULL DEFAULT 0;
