-- How people show who they are besides a password. They belong to accounts, which are nobody's tenant.

-- Codes that count with the clock: one secret an account, sealed with the master key and bound to the account. Not in use
-- before it is confirmed with a code.
CREATE TABLE auth.totp (
  account_id    uuid        PRIMARY KEY REFERENCES auth.account (id) ON DELETE CASCADE,
  secret_sealed bytea       NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  confirmed_at  timestamptz,
  -- The step of the last code that was used: it and those before it are used up (RFC 6238 §5.2).
  last_step     bigint,
  -- Wrong codes since the last right one (NIST SP 800-63B-4 §3.2.2: at most a hundred).
  failures      integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
  CHECK ((confirmed_at IS NULL) = (last_step IS NULL))
);

-- Ten of an account at most; only hashes are kept (SHA-256 of 120 random bits: nothing to guess).
CREATE TABLE auth.recovery_code (
  account_id uuid        NOT NULL REFERENCES auth.account (id) ON DELETE CASCADE,
  hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
  used_at    timestamptz,
  PRIMARY KEY (account_id, hash)
);

-- Challenges that had their effect: none has it twice. A row lives as long as its challenge would (auth/factors/challenge.ts).
CREATE TABLE auth.used_challenge (
  id         uuid        PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE INDEX used_challenge_expiry ON auth.used_challenge (expires_at);

SELECT db.protect_system_table('auth.totp');
SELECT db.protect_system_table('auth.recovery_code');
SELECT db.protect_system_table('auth.used_challenge');
