-- +goose Up
CREATE TABLE app_user (
  tenant_id  TEXT NOT NULL REFERENCES tenant (id),
  id         TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'deleted')),
  epoch      INTEGER  NOT NULL,
  name       TEXT NOT NULL,
  locale     TEXT NOT NULL,
  data       TEXT,
  created_at INTEGER  NOT NULL,
  updated_at INTEGER  NOT NULL,
  deleted_at INTEGER  NOT NULL,
  purge_at   INTEGER  NOT NULL,
  version    INTEGER  NOT NULL,
  PRIMARY KEY (id, tenant_id)
) STRICT;
CREATE INDEX app_user_purge ON app_user (purge_at, tenant_id) WHERE status = 'deleted';

CREATE TABLE membership (
  tenant_id TEXT NOT NULL,
  org_id    TEXT NOT NULL,
  user_id   TEXT NOT NULL,
  joined_at INTEGER  NOT NULL,
  PRIMARY KEY (user_id, org_id, tenant_id),
  FOREIGN KEY (tenant_id, org_id) REFERENCES organisation (tenant_id, id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX membership_organisation ON membership (org_id, tenant_id);

CREATE TABLE identifier (
  tenant_id    TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('email', 'username', 'phone', 'external')),
  value        TEXT NOT NULL,
  typed        TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  verified_at  INTEGER  NOT NULL,
  verified_how TEXT NOT NULL,
  is_primary   INTEGER NOT NULL,
  PRIMARY KEY (value, kind, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX identifier_user ON identifier (user_id, tenant_id);
CREATE UNIQUE INDEX identifier_primary ON identifier (user_id, kind, tenant_id) WHERE is_primary;

CREATE TABLE credential (
  tenant_id  TEXT NOT NULL,
  id         TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  phc        TEXT,
  pepper_id  INTEGER  NOT NULL,
  created_at INTEGER  NOT NULL,
  updated_at INTEGER  NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX credential_user ON credential (user_id, tenant_id);
CREATE UNIQUE INDEX credential_password ON credential (user_id, tenant_id) WHERE kind = 'password';

CREATE TABLE registration (
  tenant_id  TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  roles      TEXT NOT NULL,
  data       TEXT,
  created_at INTEGER  NOT NULL,
  PRIMARY KEY (user_id, client_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;

-- Links to identities elsewhere.
CREATE TABLE link (
  tenant_id  TEXT NOT NULL,
  issuer     TEXT NOT NULL,
  subject    TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  created_at INTEGER  NOT NULL,
  data       TEXT,
  PRIMARY KEY (subject, issuer, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX link_user ON link (user_id, tenant_id);

-- A sign-up whose mailbox is not proved: it is not a user, and blocks nobody. token_hash is empty for an inert one.
CREATE TABLE attempt (
  tenant_id     TEXT NOT NULL,
  id            TEXT NOT NULL,
  client_id     TEXT NOT NULL,
  email         TEXT NOT NULL,
  typed         TEXT NOT NULL,
  name          TEXT NOT NULL,
  locale        TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  phc           TEXT NOT NULL,
  pepper_id     INTEGER  NOT NULL,
  hashed_at     INTEGER  NOT NULL,
  browser       TEXT NOT NULL,
  token_hash    BLOB,
  created_at    INTEGER  NOT NULL,
  expires_at    INTEGER  NOT NULL,
  PRIMARY KEY (id, tenant_id)
) STRICT;
CREATE UNIQUE INDEX attempt_token ON attempt (token_hash, tenant_id) WHERE token_hash IS NOT NULL;
CREATE INDEX attempt_email ON attempt (email, tenant_id, created_at);
CREATE INDEX attempt_expiry ON attempt (expires_at, tenant_id);

CREATE TABLE ticket (
  tenant_id  TEXT NOT NULL,
  id         TEXT NOT NULL,
  kind       TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  user_id    TEXT,
  email      TEXT NOT NULL,
  typed      TEXT NOT NULL,
  browser    TEXT NOT NULL,
  token_hash BLOB,
  created_at INTEGER  NOT NULL,
  expires_at INTEGER  NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX ticket_token ON ticket (token_hash, tenant_id) WHERE token_hash IS NOT NULL;
CREATE INDEX ticket_email ON ticket (email, tenant_id);
CREATE INDEX ticket_user ON ticket (user_id, tenant_id);
CREATE INDEX ticket_expiry ON ticket (expires_at, tenant_id);
