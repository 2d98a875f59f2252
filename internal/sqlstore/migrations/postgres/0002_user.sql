-- +goose Up
CREATE TABLE app_user (
  tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  id         TEXT COLLATE "C" NOT NULL,
  status     TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled', 'deleted')),
  epoch      BIGINT  NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  locale     TEXT COLLATE "C" NOT NULL,
  data       TEXT COLLATE "C",
  created_at BIGINT  NOT NULL,
  updated_at BIGINT  NOT NULL,
  deleted_at BIGINT  NOT NULL,
  purge_at   BIGINT  NOT NULL,
  version    BIGINT  NOT NULL,
  PRIMARY KEY (id, tenant_id)
);
CREATE INDEX app_user_purge ON app_user (purge_at, tenant_id) WHERE status = 'deleted';

CREATE TABLE membership (
  tenant_id TEXT COLLATE "C" NOT NULL,
  org_id    TEXT COLLATE "C" NOT NULL,
  user_id   TEXT COLLATE "C" NOT NULL,
  joined_at BIGINT  NOT NULL,
  PRIMARY KEY (user_id, org_id, tenant_id),
  FOREIGN KEY (tenant_id, org_id) REFERENCES organisation (tenant_id, id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE INDEX membership_organisation ON membership (org_id, tenant_id);

CREATE TABLE identifier (
  tenant_id    TEXT COLLATE "C" NOT NULL,
  kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('email', 'username', 'phone', 'external')),
  value        TEXT COLLATE "C" NOT NULL,
  typed        TEXT COLLATE "C" NOT NULL,
  user_id      TEXT COLLATE "C" NOT NULL,
  verified_at  BIGINT  NOT NULL,
  verified_how TEXT COLLATE "C" NOT NULL,
  is_primary   BOOLEAN NOT NULL,
  PRIMARY KEY (value, kind, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE INDEX identifier_user ON identifier (user_id, tenant_id);
CREATE UNIQUE INDEX identifier_primary ON identifier (user_id, kind, tenant_id) WHERE is_primary;

CREATE TABLE credential (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C" NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL,
  phc        TEXT COLLATE "C",
  pepper_id  BIGINT  NOT NULL,
  created_at BIGINT  NOT NULL,
  updated_at BIGINT  NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE INDEX credential_user ON credential (user_id, tenant_id);
CREATE UNIQUE INDEX credential_password ON credential (user_id, tenant_id) WHERE kind = 'password';

CREATE TABLE registration (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  roles      TEXT COLLATE "C" NOT NULL,
  data       TEXT COLLATE "C",
  created_at BIGINT  NOT NULL,
  PRIMARY KEY (user_id, client_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);

-- Links to identities elsewhere.
CREATE TABLE link (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  issuer     TEXT COLLATE "C" NOT NULL,
  subject    TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C" NOT NULL,
  created_at BIGINT  NOT NULL,
  data       TEXT COLLATE "C",
  PRIMARY KEY (subject, issuer, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE INDEX link_user ON link (user_id, tenant_id);

-- A sign-up whose mailbox is not proved: it is not a user, and blocks nobody. token_hash is empty for an inert one.
CREATE TABLE attempt (
  tenant_id     TEXT COLLATE "C" NOT NULL,
  id            TEXT COLLATE "C" NOT NULL,
  client_id     TEXT COLLATE "C" NOT NULL,
  email         TEXT COLLATE "C" NOT NULL,
  typed         TEXT COLLATE "C" NOT NULL,
  name          TEXT COLLATE "C" NOT NULL,
  locale        TEXT COLLATE "C" NOT NULL,
  credential_id TEXT COLLATE "C" NOT NULL,
  phc           TEXT COLLATE "C" NOT NULL,
  pepper_id     BIGINT  NOT NULL,
  hashed_at     BIGINT  NOT NULL,
  browser       TEXT COLLATE "C" NOT NULL,
  token_hash    BYTEA,
  created_at    BIGINT  NOT NULL,
  expires_at    BIGINT  NOT NULL,
  PRIMARY KEY (id, tenant_id)
);
CREATE UNIQUE INDEX attempt_token ON attempt (token_hash, tenant_id) WHERE token_hash IS NOT NULL;
CREATE INDEX attempt_email ON attempt (email, tenant_id, created_at);
CREATE INDEX attempt_expiry ON attempt (expires_at, tenant_id);

CREATE TABLE ticket (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL,
  client_id  TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C",
  email      TEXT COLLATE "C" NOT NULL,
  typed      TEXT COLLATE "C" NOT NULL,
  browser    TEXT COLLATE "C" NOT NULL,
  token_hash BYTEA,
  created_at BIGINT  NOT NULL,
  expires_at BIGINT  NOT NULL,
  PRIMARY KEY (id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX ticket_token ON ticket (token_hash, tenant_id) WHERE token_hash IS NOT NULL;
CREATE INDEX ticket_email ON ticket (email, tenant_id);
CREATE INDEX ticket_user ON ticket (user_id, tenant_id);
CREATE INDEX ticket_expiry ON ticket (expires_at, tenant_id);
