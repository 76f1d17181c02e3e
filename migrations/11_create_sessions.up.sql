-- A session is one sign-in, and one row however long it lives: each refresh writes the next generation over the last.
-- Of its refresh tokens it keeps hashes (SHA-256 of random bits: nothing to guess, so no slow hash); using one a
-- second time ends the session (RFC 9700 §4.14.2). All its times are the database's, so that no replica's clock
-- decides. The keys that sign access tokens stand beside them, private parts wrapped with the master key.

CREATE TABLE auth.session (
  id             uuid        PRIMARY KEY,
  tenant_id      uuid        NOT NULL REFERENCES auth.organisation (id),
  account_id     uuid        NOT NULL REFERENCES auth.account (id),
  created_at     timestamptz NOT NULL DEFAULT now(),
  -- When it ends, or when it was ended before its time.
  expires_at     timestamptz NOT NULL,
  revoked_at     timestamptz,
  revoked_reason text        CHECK (revoked_reason IN ('logout', 'token_reuse')),
  -- The same part of every token of the session: what tells an old token of it from an invented one.
  family_hash    bytea       NOT NULL CHECK (octet_length(family_hash) = 32),
  -- How often it was refreshed: the generation of the one token that is good.
  generation     integer     NOT NULL DEFAULT 0 CHECK (generation >= 0),
  secret_hash    bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
  -- With the token before, it gives the present one again (auth/refresh-token.ts): for the answer that was lost.
  successor_salt bytea       CHECK (octet_length(successor_salt) = 32),
  -- The last refreshes, newest first.
  rotated_at     timestamptz[] NOT NULL DEFAULT '{}' CHECK (cardinality(rotated_at) <= 8),
  CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
  CHECK ((generation = 0) = (successor_salt IS NULL))
)
-- Room for the next generation beside the last (no index changes with it), so that refreshing leaves no dead index entries.
WITH (fillfactor = 80);
-- Sign-in removes an account's oldest sessions; upkeep removes what ended.
CREATE INDEX session_account ON auth.session (tenant_id, account_id, created_at);
CREATE INDEX session_expiry ON auth.session (expires_at);

CREATE TABLE auth.signing_key (
  kid             text        PRIMARY KEY,
  public_jwk      jsonb       NOT NULL,
  -- AES-256-GCM envelope (auth/envelope.ts), bound to the kid.
  private_wrapped bytea       NOT NULL,
  created_at      timestamptz NOT NULL,
  -- Set when a newer key takes over: tokens it signed are still verified until then.
  verify_until    timestamptz
);
-- At most one key signs.
CREATE UNIQUE INDEX signing_key_current ON auth.signing_key ((true)) WHERE verify_until IS NULL;

SELECT db.protect_tenant_table('auth.session');
SELECT db.protect_system_table('auth.signing_key');
