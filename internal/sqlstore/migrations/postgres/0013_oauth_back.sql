-- +goose Up
-- A device authorization. user_code is peppered: people type it, so it is short.
CREATE TABLE oauth_device (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  hash       BYTEA NOT NULL,
  user_code  BYTEA NOT NULL,
  pepper     BIGINT NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  scope      TEXT COLLATE "C" NOT NULL,
  resource   TEXT COLLATE "C" NOT NULL,
  dpop_key   TEXT COLLATE "C" NOT NULL,
  place      TEXT COLLATE "C" NOT NULL,
  agent      TEXT COLLATE "C" NOT NULL,
  stage      TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C" NOT NULL,
  epoch      BIGINT NOT NULL,
  sso_id     TEXT COLLATE "C" NOT NULL,
  auth_time  BIGINT NOT NULL,
  amr        TEXT COLLATE "C" NOT NULL,
  acr        TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  polled_at  BIGINT NOT NULL,
  interval_s BIGINT NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  version    BIGINT NOT NULL,
  PRIMARY KEY (hash, tenant_id)
);
CREATE UNIQUE INDEX oauth_device_user_code ON oauth_device (user_code, tenant_id);
CREATE INDEX oauth_device_expiry ON oauth_device (expires_at, tenant_id);

-- An opaque access token and the claims it stands for.
CREATE TABLE oauth_opaque (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  hash       BYTEA NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  claims     BYTEA NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  PRIMARY KEY (hash, tenant_id)
);
CREATE INDEX oauth_opaque_expiry ON oauth_opaque (expires_at, tenant_id);

-- Initial access tokens of dynamic client registration; uses_left is -1 for any number.
CREATE TABLE oauth_initial (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  hash       BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  uses_left  BIGINT NOT NULL,
  last_used  BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  PRIMARY KEY (id, tenant_id)
);
CREATE UNIQUE INDEX oauth_initial_hash ON oauth_initial (hash, tenant_id);

-- Who may change a client that registered itself.
CREATE TABLE oauth_registration (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  hash       BYTEA NOT NULL,
  initial_id TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (client_id, tenant_id)
);

-- Introspection asks whether a single token was revoked.
CREATE INDEX revocation_token ON revocation (target, tenant_id) WHERE kind = 'token';
