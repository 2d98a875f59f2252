-- +goose Up
-- The tenant stands in every key and index of what belongs to one, but behind the selective column: a planner without statistics takes any
-- index that begins with the tenant for as good as any other, and would read a whole tenant to find one row.
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- One row: the number of the newest change of any tenant or client.
CREATE TABLE directory_version (
  one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL
) STRICT;
INSERT INTO directory_version (one, version) VALUES (1, 0);

CREATE TABLE tenant (
  id           TEXT NOT NULL PRIMARY KEY,
  slug         TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  issuer       TEXT NOT NULL UNIQUE,
  test         INTEGER NOT NULL,
  clock_offset INTEGER  NOT NULL,
  policy       TEXT NOT NULL,
  managed_by   TEXT NOT NULL,
  version      INTEGER  NOT NULL
) STRICT;

CREATE TABLE organisation (
  tenant_id  TEXT NOT NULL REFERENCES tenant (id),
  id         TEXT NOT NULL,
  name       TEXT NOT NULL,
  managed_by TEXT NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE TABLE client (
  tenant_id   TEXT NOT NULL REFERENCES tenant (id),
  id          TEXT NOT NULL,
  name        TEXT NOT NULL,
  secret_hash BLOB,
  settings    TEXT NOT NULL,
  managed_by  TEXT NOT NULL,
  version     INTEGER  NOT NULL,
  removed_at  INTEGER  NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE TABLE role (
  tenant_id   TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  name        TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  managed_by  TEXT NOT NULL,
  PRIMARY KEY (tenant_id, client_id, name),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
) STRICT;

CREATE TABLE node (
  id      TEXT NOT NULL PRIMARY KEY,
  version INTEGER  NOT NULL,
  seen_at INTEGER  NOT NULL
) STRICT;

-- Signing keys are sealed under the ring; ring keys are wrapped under a master key that is never stored.
CREATE TABLE signing_key (
  tenant_id    TEXT NOT NULL REFERENCES tenant (id),
  kid          TEXT NOT NULL,
  kind         TEXT NOT NULL,
  alg          TEXT NOT NULL,
  slot         INTEGER  NOT NULL,
  public_jwk   BLOB NOT NULL,
  sealed       BLOB NOT NULL,
  created_at   INTEGER  NOT NULL,
  signs_from   INTEGER  NOT NULL,
  withdrawn_at INTEGER  NOT NULL,
  verify_until INTEGER  NOT NULL,
  PRIMARY KEY (kid, tenant_id),
  UNIQUE (tenant_id, kind, alg, slot)
) STRICT;

CREATE TABLE ring_key (
  id         INTEGER   NOT NULL PRIMARY KEY,
  purpose    TEXT  NOT NULL,
  wrapped    BLOB NOT NULL,
  created_at INTEGER   NOT NULL,
  retired_at INTEGER   NOT NULL
) STRICT;
