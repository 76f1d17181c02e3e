-- The platform's staff. They are no accounts and members of no organisation: another table, other sessions, other
-- credentials, so that nothing that lets a customer in lets them in or the other way round (auth/README.md).
-- States: invited (setup_hash is set) → active (activated_at is set); a reset makes it invited again.
CREATE TABLE auth.operator (
  id            uuid        PRIMARY KEY,
  email         text        NOT NULL CONSTRAINT operator_email UNIQUE,
  permissions   text[]      NOT NULL,
  -- Of what `operator add` printed: with it the operator sets a password and an authenticator app, once.
  setup_hash    bytea       CONSTRAINT operator_setup UNIQUE CHECK (octet_length(setup_hash) = 32),
  setup_expires_at timestamptz,
  password_hash text,
  -- Sealed with the master key, bound to the id.
  totp_sealed   bytea,
  -- The step of the last code that was used: it and those before it are used up (RFC 6238 §5.2).
  totp_step     bigint,
  -- Wrong codes since the last right one.
  totp_failures integer     NOT NULL DEFAULT 0,
  activated_at  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now(),
  CHECK ((setup_hash IS NULL) = (setup_expires_at IS NULL)),
  CHECK (activated_at IS NULL OR (password_hash IS NOT NULL AND totp_sealed IS NOT NULL AND totp_step IS NOT NULL AND setup_hash IS NULL))
);

-- Looked at with each request, so that its end is known at once. Of the token only a hash is kept (SHA-256 of 256 random bits).
CREATE TABLE auth.operator_session (
  id           uuid        PRIMARY KEY,
  operator_id  uuid        NOT NULL REFERENCES auth.operator (id) ON DELETE CASCADE,
  hash         bytea       NOT NULL CONSTRAINT operator_session_hash UNIQUE CHECK (octet_length(hash) = 32),
  created_at   timestamptz NOT NULL DEFAULT now(),
  -- Written once a minute at most.
  last_used_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL
);
CREATE INDEX operator_session_operator ON auth.operator_session (operator_id, created_at);
CREATE INDEX operator_session_expiry ON auth.operator_session (expires_at);

SELECT db.protect_system_table('auth.operator');
SELECT db.protect_system_table('auth.operator_session');
