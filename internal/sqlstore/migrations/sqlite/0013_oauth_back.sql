-- +goose Up
-- A device authorization. user_code is peppered: people type it, so it is short.
CREATE TABLE oauth_device (
  tenant_id  TEXT NOT NULL,
  hash       BLOB NOT NULL,
  user_code  BLOB NOT NULL,
  pepper     INTEGER NOT NULL,
  client_id  TEXT NOT NULL,
  scope      TEXT NOT NULL,
  resource   TEXT NOT NULL,
  dpop_key   TEXT NOT NULL,
  place      TEXT NOT NULL,
  agent      TEXT NOT NULL,
  stage      TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  epoch      INTEGER NOT NULL,
  sso_id     TEXT NOT NULL,
  auth_time  INTEGER NOT NULL,
  amr        TEXT NOT NULL,
  acr        TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  polled_at  INTEGER NOT NULL,
  interval_s INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  version    INTEGER NOT NULL,
  PRIMARY KEY (hash, tenant_id)
) STRICT;
CREATE UNIQUE INDEX oauth_device_user_code ON oauth_device (user_code, tenant_id);
CREATE INDEX oauth_device_expiry ON oauth_device (expires_at, tenant_id);

-- An opaque access token and the claims it stands for.
CREATE TABLE oauth_opaque (
  tenant_id  TEXT NOT NULL,
  hash       BLOB NOT NULL,
  id         TEXT NOT NULL,
  session_id TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  claims     BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,
  PRIMARY KEY (hash, tenant_id)
) STRICT;
CREATE INDEX oauth_opaque_expiry ON oauth_opaque (expires_at, tenant_id);

-- Initial access tokens of dynamic client registration; uses_left is -1 for any number.
CREATE TABLE oauth_initial (
  tenant_id  TEXT NOT NULL,
  id         TEXT NOT NULL,
  name       TEXT NOT NULL,
  hash       BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  uses_left  INTEGER NOT NULL,
  last_used  INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,
  PRIMARY KEY (id, tenant_id)
) STRICT;
CREATE UNIQUE INDEX oauth_initial_hash ON oauth_initial (hash, tenant_id);

-- Who may change a client that registered itself.
CREATE TABLE oauth_registration (
  tenant_id  TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  hash       BLOB NOT NULL,
  initial_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (client_id, tenant_id)
) STRICT;

-- Introspection asks whether a single token was revoked.
CREATE INDEX revocation_token ON revocation (target, tenant_id) WHERE kind = 'token';
