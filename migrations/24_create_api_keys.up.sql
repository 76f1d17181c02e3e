-- Service principals: machines of an organisation, which stay when the person who made them leaves. Disabled, they hold
-- their keys and cannot use them.
CREATE TABLE auth.service_principal (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid        NOT NULL REFERENCES auth.organisation (id) ON DELETE CASCADE,
  name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  permissions text[]      NOT NULL,
  disabled_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, name)
);
CREATE INDEX service_principal_newest ON auth.service_principal (tenant_id, created_at, id);

-- API keys: what a program signs in with. Only hashes are kept (SHA-256 of 256 random bits: nothing to guess). A key is
-- a person's, acts within its scope and that person's present role, and goes with their membership; or it is a service
-- principal's, acts within its scope and what that one may, and goes with it.
CREATE TABLE auth.api_key (
  id           uuid        PRIMARY KEY,
  tenant_id    uuid        NOT NULL REFERENCES auth.organisation (id),
  account_id   uuid        REFERENCES auth.account (id),
  service_id   uuid        REFERENCES auth.service_principal (id) ON DELETE CASCADE,
  name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  -- The first characters, by which people tell keys apart.
  prefix       text        NOT NULL,
  hash         bytea       NOT NULL CONSTRAINT api_key_hash UNIQUE CHECK (octet_length(hash) = 32),
  -- Of the secret before the last rotation, which is good until then too.
  previous_hash  bytea     CONSTRAINT api_key_previous_hash UNIQUE CHECK (octet_length(previous_hash) = 32),
  previous_until timestamptz,
  permissions  text[]      NOT NULL,
  -- Where it may be used from, in CIDR notation; empty: from everywhere.
  networks     text[]      NOT NULL DEFAULT '{}' CHECK (cardinality(networks) <= 20),
  created_at   timestamptz NOT NULL DEFAULT now(),
  rotated_at   timestamptz,
  expires_at   timestamptz NOT NULL,
  -- Written once an hour at most.
  last_used_at timestamptz,
  CHECK (num_nonnulls(account_id, service_id) = 1),
  CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);
CREATE INDEX api_key_newest ON auth.api_key (tenant_id, created_at, id);
CREATE INDEX api_key_account ON auth.api_key (account_id);
CREATE INDEX api_key_service ON auth.api_key (service_id);
CREATE INDEX api_key_expiry ON auth.api_key (expires_at);

SELECT db.protect_tenant_table('auth.service_principal');
SELECT db.protect_tenant_table('auth.api_key');
