-- +goose Up
-- What only the SuperTokens dialect has. A subject here is any text: metadata, roles and one-time tokens may be kept of somebody who is no
-- user of ours, so they hang on no user row.
ALTER TABLE organisation ADD COLUMN config TEXT COLLATE "C"; -- JSON: first factors and the like

-- Everybody is a member of the organisation "public" who does not stand here; memberships of others are rows of membership.
CREATE TABLE not_public (
  tenant_id TEXT COLLATE "C" NOT NULL,
  user_id   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);

-- Another system's name of a user.
CREATE TABLE external_name (
  tenant_id   TEXT COLLATE "C" NOT NULL,
  user_id     TEXT COLLATE "C" NOT NULL,
  external_id TEXT COLLATE "C" NOT NULL,
  info        TEXT COLLATE "C",
  PRIMARY KEY (user_id, tenant_id),
  UNIQUE (external_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);

-- Users that an application named as the ones that others may be linked to.
CREATE TABLE primary_user (
  tenant_id TEXT COLLATE "C" NOT NULL,
  user_id   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, tenant_id),
  FOREIGN KEY (user_id, tenant_id) REFERENCES app_user (id, tenant_id) ON DELETE CASCADE
);

-- One-time tokens of mails that an application sends itself; only hashes.
CREATE TABLE recipe_token (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  token_hash BYTEA NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('email_verify', 'password_reset')),
  org_id     TEXT COLLATE "C" NOT NULL,
  subject    TEXT COLLATE "C" NOT NULL,
  email      TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (token_hash, tenant_id)
);
CREATE INDEX recipe_token_subject ON recipe_token (subject, tenant_id);
CREATE INDEX recipe_token_expiry ON recipe_token (expires_at, tenant_id);

-- Mailboxes that a subject proved without their being an identifier of a user: of somebody who is no user of ours, or the address that a
-- user is about to move to.
CREATE TABLE proved_mailbox (
  tenant_id TEXT COLLATE "C" NOT NULL,
  subject   TEXT COLLATE "C" NOT NULL,
  email     TEXT COLLATE "C" NOT NULL,
  proved_at BIGINT NOT NULL,
  PRIMARY KEY (subject, email, tenant_id)
);

CREATE TABLE subject_metadata (
  tenant_id TEXT COLLATE "C" NOT NULL,
  subject   TEXT COLLATE "C" NOT NULL,
  data      TEXT COLLATE "C" NOT NULL,
  version   BIGINT NOT NULL,
  PRIMARY KEY (subject, tenant_id)
);

-- Roles of the application as a whole, apart from those of single clients.
CREATE TABLE app_role (
  tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  name      TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (name, tenant_id)
);

CREATE TABLE app_permission (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  role       TEXT COLLATE "C" NOT NULL,
  permission TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (role, permission, tenant_id),
  FOREIGN KEY (role, tenant_id) REFERENCES app_role (name, tenant_id) ON DELETE CASCADE
);

CREATE TABLE subject_role (
  tenant_id TEXT COLLATE "C" NOT NULL,
  subject   TEXT COLLATE "C" NOT NULL,
  org_id    TEXT COLLATE "C" NOT NULL,
  role      TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (subject, org_id, role, tenant_id),
  FOREIGN KEY (role, tenant_id) REFERENCES app_role (name, tenant_id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, org_id) REFERENCES organisation (tenant_id, id)
);
CREATE INDEX subject_role_holders ON subject_role (role, org_id, tenant_id, subject);

-- Users are listed by when they joined.
CREATE INDEX app_user_joined ON app_user (tenant_id, created_at, id) WHERE status <> 'deleted';
