-- +goose Up
-- The tenant stands in every key and index of what belongs to one, but behind the selective column: a planner without statistics takes any
-- index that begins with the tenant for as good as any other, and would read a whole tenant to find one row.
CREATE TABLE meta (
  name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value TEXT COLLATE "C" NOT NULL
);

-- One row: the number of the newest change of any tenant or client.
CREATE TABLE directory_version (
  one     BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  version BIGINT NOT NULL
);
INSERT INTO directory_version (one, version) VALUES (1, 0);

CREATE TABLE tenant (
  id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  slug         TEXT COLLATE "C" NOT NULL UNIQUE,
  name         TEXT COLLATE "C" NOT NULL,
  issuer       TEXT COLLATE "C" NOT NULL UNIQUE,
  test         BOOLEAN NOT NULL,
  clock_offset BIGINT  NOT NULL,
  policy       TEXT COLLATE "C" NOT NULL,
  managed_by   TEXT COLLATE "C" NOT NULL,
  version      BIGINT  NOT NULL
);

CREATE TABLE organisation (
  tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  id         TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  managed_by TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE client (
  tenant_id   TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  id          TEXT COLLATE "C" NOT NULL,
  name        TEXT COLLATE "C" NOT NULL,
  secret_hash BYTEA,
  settings    TEXT COLLATE "C" NOT NULL,
  managed_by  TEXT COLLATE "C" NOT NULL,
  version     BIGINT  NOT NULL,
  removed_at  BIGINT  NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE role (
  tenant_id   TEXT COLLATE "C" NOT NULL,
  client_id   TEXT COLLATE "C" NOT NULL,
  name        TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C" NOT NULL DEFAULT '',
  managed_by  TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, client_id, name),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);

CREATE TABLE node (
  id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version BIGINT  NOT NULL,
  seen_at BIGINT  NOT NULL
);

-- Signing keys are sealed under the ring; ring keys are wrapped under a master key that is never stored.
CREATE TABLE signing_key (
  tenant_id    TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
  kid          TEXT COLLATE "C" NOT NULL,
  kind         TEXT COLLATE "C" NOT NULL,
  alg          TEXT COLLATE "C" NOT NULL,
  slot         BIGINT  NOT NULL,
  public_jwk   BYTEA NOT NULL,
  sealed       BYTEA NOT NULL,
  created_at   BIGINT  NOT NULL,
  signs_from   BIGINT  NOT NULL,
  withdrawn_at BIGINT  NOT NULL,
  verify_until BIGINT  NOT NULL,
  PRIMARY KEY (kid, tenant_id),
  UNIQUE (tenant_id, kind, alg, slot)
);

CREATE TABLE ring_key (
  id         BIGINT   NOT NULL PRIMARY KEY,
  purpose    TEXT COLLATE "C"  NOT NULL,
  wrapped    BYTEA NOT NULL,
  created_at BIGINT   NOT NULL,
  retired_at BIGINT   NOT NULL
);
