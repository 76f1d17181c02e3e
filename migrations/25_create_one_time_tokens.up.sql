-- What a link in a mail can do, once. Only a hash is kept (SHA-256 of 256 random bits: nothing to guess). An account has one
-- of each purpose, so a newer one replaces the one before and the table has no more rows than accounts times purposes.
CREATE TABLE auth.one_time_token (
  account_id uuid        NOT NULL REFERENCES auth.account (id) ON DELETE CASCADE,
  purpose    text        NOT NULL CHECK (purpose IN ('verify-email', 'reset-password', 'change-email', 'revert-email', 'restore-account', 'step-up')),
  hash       bytea       NOT NULL CONSTRAINT one_time_token_hash UNIQUE CHECK (octet_length(hash) = 32),
  -- The address it is sent to: whoever presents it has shown to read the mails of this one, and of no other.
  email      text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, purpose)
);
-- An address that can be taken back is nobody else's until then.
CREATE INDEX one_time_token_reserved ON auth.one_time_token (email) WHERE purpose = 'revert-email';
CREATE INDEX one_time_token_expiry ON auth.one_time_token (expires_at);

SELECT db.protect_system_table('auth.one_time_token');
