-- Passkeys: public keys of accounts, whose private parts never leave their devices (WebAuthn Level 3). Nothing here is secret.
CREATE TABLE auth.passkey (
  id            uuid        PRIMARY KEY,
  account_id    uuid        NOT NULL REFERENCES auth.account (id) ON DELETE CASCADE,
  credential_id bytea       NOT NULL CONSTRAINT passkey_credential UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
  -- In COSE (RFC 9052).
  public_key    bytea       NOT NULL CHECK (octet_length(public_key) <= 4096),
  -- How often it signed, as it says; always 0 for one that does not count, as synced ones.
  sign_count    bigint      NOT NULL,
  -- Whether it can be on several devices, and is backed up.
  is_synced     boolean     NOT NULL,
  is_backed_up  boolean     NOT NULL,
  transports    text[]      NOT NULL CHECK (cardinality(transports) <= 8),
  name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  created_at    timestamptz NOT NULL DEFAULT now(),
  last_used_at  timestamptz
);
CREATE INDEX passkey_account ON auth.passkey (account_id, created_at);

SELECT db.protect_system_table('auth.passkey');
