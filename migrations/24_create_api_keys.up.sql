-- API keys: what a program of an organisation signs in with. Only a hash is kept (SHA-256 of 256 random bits: nothing to
-- guess). A key acts within its scope and within the present role of the member who made it, and goes with them.
CREATE TABLE auth.api_key (
  id           uuid        PRIMARY KEY,
  tenant_id    uuid        NOT NULL REFERENCES auth.organisation (id),
  account_id   uuid        NOT NULL REFERENCES auth.account (id),
  name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  -- The first characters, by which people tell keys apart.
  prefix       text        NOT NULL,
  hash         bytea       NOT NULL CONSTRAINT api_key_hash UNIQUE CHECK (octet_length(hash) = 32),
  permissions  text[]      NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  -- Written once an hour at most.
  last_used_at timestamptz
);
CREATE INDEX api_key_newest ON auth.api_key (tenant_id, created_at, id);
CREATE INDEX api_key_account ON auth.api_key (account_id);
CREATE INDEX api_key_expiry ON auth.api_key (expires_at);

SELECT db.protect_tenant_table('auth.api_key');
