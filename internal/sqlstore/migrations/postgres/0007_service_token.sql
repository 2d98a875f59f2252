-- +goose Up
-- Tokens of services. The signed token itself is kept nowhere; claims is the JSON object of its custom claims, audience a JSON list, maker_*
-- who asked for it. jti is not unique: who makes its own claims may use one twice.
CREATE TABLE service_token (
  tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  id         TEXT COLLATE "C" NOT NULL,
  jti        TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  issuer     TEXT COLLATE "C" NOT NULL,
  claims     TEXT COLLATE "C" NOT NULL,
  audience   TEXT COLLATE "C" NOT NULL,
  key_kind   TEXT COLLATE "C" NOT NULL,
  kid        TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  face       TEXT COLLATE "C" NOT NULL,
  maker_kind TEXT COLLATE "C" NOT NULL,
  maker_id   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (id, tenant_id)
);
CREATE INDEX service_token_jti ON service_token (jti, tenant_id);
CREATE INDEX service_token_tenant ON service_token (tenant_id, id);
CREATE INDEX service_token_expires ON service_token (tenant_id, expires_at);

-- A rotating key stays published until the last long token that it signed expires.
ALTER TABLE signing_key ADD COLUMN keep_until BIGINT NOT NULL DEFAULT 0;
