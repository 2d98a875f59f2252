-- +goose Up
-- The sign-on session of a browser at the issuer. hash is of its cookie. dead_at is when it stops being live, cut down to the hour.
CREATE TABLE sso_session (
  tenant_id       TEXT COLLATE "C" NOT NULL,
  id              TEXT COLLATE "C" NOT NULL,
  hash            BYTEA NOT NULL,
  user_id         TEXT COLLATE "C" NOT NULL,
  epoch           BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  last_seen       BIGINT NOT NULL,
  idle_expiry     BIGINT NOT NULL,
  absolute_expiry BIGINT NOT NULL,
  auth_time       BIGINT NOT NULL,
  amr             TEXT COLLATE "C" NOT NULL,
  acr             TEXT COLLATE "C" NOT NULL,
  agent           TEXT COLLATE "C" NOT NULL,
  place           TEXT COLLATE "C" NOT NULL,
  device          TEXT COLLATE "C" NOT NULL,
  version         BIGINT NOT NULL,
  revoked_at      BIGINT NOT NULL,
  revoked_reason  TEXT COLLATE "C" NOT NULL,
  dead_at         BIGINT NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX sso_session_hash ON sso_session (hash, tenant_id);
CREATE INDEX sso_session_user ON sso_session (user_id, tenant_id);
CREATE INDEX sso_session_dead ON sso_session (dead_at, tenant_id);
-- Ending a sign-on session ends every session that was opened under it.
CREATE INDEX session_sso ON session (sso_id, tenant_id) WHERE sso_id <> '';

-- An authorization request under way, or pushed and not taken up yet.
CREATE TABLE oauth_request (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  browser    TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  params     TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  sso_id     TEXT COLLATE "C" NOT NULL,
  proved_at  BIGINT NOT NULL,
  chosen     BOOLEAN NOT NULL,
  consent    TEXT COLLATE "C" NOT NULL,
  refused    BOOLEAN NOT NULL,
  done_at    BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  PRIMARY KEY (id, tenant_id)
);
CREATE INDEX oauth_request_expiry ON oauth_request (expires_at, tenant_id);

-- An authorization code; a spent one stays for a while, so that a replay is noticed and ends session_id.
CREATE TABLE oauth_code (
  tenant_id    TEXT COLLATE "C" NOT NULL,
  hash         BYTEA NOT NULL,
  client_id    TEXT COLLATE "C" NOT NULL,
  redirect_uri TEXT COLLATE "C" NOT NULL,
  challenge    TEXT COLLATE "C" NOT NULL,
  nonce        TEXT COLLATE "C" NOT NULL,
  dpop_key     TEXT COLLATE "C" NOT NULL,
  user_id      TEXT COLLATE "C" NOT NULL,
  epoch        BIGINT NOT NULL,
  sso_id       TEXT COLLATE "C" NOT NULL,
  scope        TEXT COLLATE "C" NOT NULL,
  resource     TEXT COLLATE "C" NOT NULL,
  auth_time    BIGINT NOT NULL,
  amr          TEXT COLLATE "C" NOT NULL,
  acr          TEXT COLLATE "C" NOT NULL,
  offline      BOOLEAN NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  spent_at     BIGINT NOT NULL,
  session_id   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (hash, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE INDEX oauth_code_user ON oauth_code (user_id, tenant_id);
CREATE INDEX oauth_code_expiry ON oauth_code (expires_at, tenant_id);

-- What a person has allowed a client.
CREATE TABLE consent (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  scope      TEXT COLLATE "C" NOT NULL,
  resource   TEXT COLLATE "C" NOT NULL,
  granted_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, client_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
