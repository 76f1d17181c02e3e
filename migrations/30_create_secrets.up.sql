-- What organisations entrust to the app: API keys of other services and the like, sealed by a data key of the
-- organisation, which the master key seals (secrets/README.md). Deleting the data keys makes the rest unreadable.

CREATE SCHEMA secrets;

CREATE TABLE secrets.tenant_key (
  id         uuid        PRIMARY KEY,
  tenant_id  uuid        NOT NULL,
  -- An envelope of the master key.
  sealed     bytea       NOT NULL,
  -- Names it in the envelopes that it made.
  key_id     bytea       NOT NULL CHECK (octet_length(key_id) = 4),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenant_key_newest ON secrets.tenant_key (tenant_id, created_at DESC, id DESC);

CREATE TABLE secrets.secret (
  id           uuid        NOT NULL,
  tenant_id    uuid        NOT NULL,
  name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
  -- An envelope of the data key with this id.
  sealed       bytea       NOT NULL CHECK (octet_length(sealed) <= 20000),
  key_id       bytea       NOT NULL CHECK (octet_length(key_id) = 4),
  -- The last characters of a long one, by which people tell it from others.
  hint         text        NOT NULL CHECK (length(hint) <= 4),
  version      integer     NOT NULL DEFAULT 1,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  -- Written once an hour at most.
  last_used_at timestamptz,
  PRIMARY KEY (tenant_id, name)
);
CREATE INDEX secret_key ON secrets.secret (tenant_id, key_id);

SELECT db.protect_tenant_table('secrets.tenant_key');
SELECT db.protect_tenant_table('secrets.secret');
