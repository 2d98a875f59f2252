-- +goose Up
-- The sign-on session of a browser at the issuer. hash is of its cookie. dead_at is when it stops being live, cut down to the hour.
CREATE TABLE sso_session (
  tenant_id       TEXT NOT NULL,
  id              TEXT NOT NULL,
  hash            BLOB NOT NULL,
  user_id         TEXT NOT NULL,
  epoch           INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  last_seen       INTEGER NOT NULL,
  idle_expiry     INTEGER NOT NULL,
  absolute_expiry INTEGER NOT NULL,
  auth_time       INTEGER NOT NULL,
  amr             TEXT NOT NULL,
  acr             TEXT NOT NULL,
  agent           TEXT NOT NULL,
  place           TEXT NOT NULL,
  device          TEXT NOT NULL,
  version         INTEGER NOT NULL,
  revoked_at      INTEGER NOT NULL,
  revoked_reason  TEXT NOT NULL,
  dead_at         INTEGER NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX sso_session_hash ON sso_session (hash, tenant_id);
CREATE INDEX sso_session_user ON sso_session (user_id, tenant_id);
CREATE INDEX sso_session_dead ON sso_session (dead_at, tenant_id);
-- Ending a sign-on session ends every session that was opened under it.
CREATE INDEX session_sso ON session (sso_id, tenant_id) WHERE sso_id <> '';

-- An authorization request under way, or pushed and not taken up yet.
CREATE TABLE oauth_request (
  tenant_id  TEXT NOT NULL,
  id         TEXT NOT NULL,
  browser    TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  params     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  sso_id     TEXT NOT NULL,
  proved_at  INTEGER NOT NULL,
  chosen     INTEGER NOT NULL,
  consent    TEXT NOT NULL,
  refused    INTEGER NOT NULL,
  done_at    INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  PRIMARY KEY (id, tenant_id)
) STRICT;
CREATE INDEX oauth_request_expiry ON oauth_request (expires_at, tenant_id);

-- An authorization code; a spent one stays for a while, so that a replay is noticed and ends session_id.
CREATE TABLE oauth_code (
  tenant_id    TEXT NOT NULL,
  hash         BLOB NOT NULL,
  client_id    TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  challenge    TEXT NOT NULL,
  nonce        TEXT NOT NULL,
  dpop_key     TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  epoch        INTEGER NOT NULL,
  sso_id       TEXT NOT NULL,
  scope        TEXT NOT NULL,
  resource     TEXT NOT NULL,
  auth_time    INTEGER NOT NULL,
  amr          TEXT NOT NULL,
  acr          TEXT NOT NULL,
  offline      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  spent_at     INTEGER NOT NULL,
  session_id   TEXT NOT NULL,
  PRIMARY KEY (hash, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX oauth_code_user ON oauth_code (user_id, tenant_id);
CREATE INDEX oauth_code_expiry ON oauth_code (expires_at, tenant_id);

-- What a person has allowed a client.
CREATE TABLE consent (
  tenant_id  TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  scope      TEXT NOT NULL,
  resource   TEXT NOT NULL,
  granted_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, client_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
