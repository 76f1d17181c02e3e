-- A session is one sign-in, and one row however long it lives: each refresh writes the next generation over the last.
-- Of its refresh tokens it keeps hashes (SHA-256 of random bits: nothing to guess, so no slow hash); using one a
-- second time ends the session (RFC 9700 §4.14.2). All its times are the database's, so that no replica's clock
-- decides. A session belongs to an account, in the organisation that was chosen; switching makes another session of the
-- same sign-in, so that two tabs in two organisations do not meet. The keys that sign access tokens stand beside them, private parts wrapped with the master key.

CREATE TABLE auth.session (
  id             uuid        PRIMARY KEY,
  account_id     uuid        NOT NULL REFERENCES auth.account (id),
  -- The organisation that was chosen; null for none.
  organisation_id uuid       REFERENCES auth.organisation (id),
  -- The session that its sign-in began with; null for that one itself. Sessions of one sign-in end together.
  sign_in_id     uuid,
  -- What the browser or program called itself.
  device         text        CHECK (length(device) <= 200),
  created_at     timestamptz NOT NULL DEFAULT now(),
  -- How and when its person showed who they are: names of RFC 8176, and some of ours (auth/factors/methods.ts).
  amr            text[]      NOT NULL DEFAULT '{pwd}' CHECK (cardinality(amr) BETWEEN 1 AND 8),
  -- Which organisations' providers vouched for its person (auth.identity_provider.vouch_id); empty for who signed in another way.
  vouched_by     uuid[]      NOT NULL DEFAULT '{}' CHECK (cardinality(vouched_by) <= 20),
  authenticated_at timestamptz NOT NULL DEFAULT now(),
  -- When it ends, or when it was ended before its time.
  expires_at     timestamptz NOT NULL,
  revoked_at     timestamptz,
  revoked_reason text        CHECK (revoked_reason IN ('logout', 'token_reuse', 'password_change', 'password_reset', 'factor_change', 'claimed', 'account_deleted', 'administrator')),
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
-- Sign-in removes an account's oldest sessions, its owner lists and ends them; upkeep removes what ended.
CREATE INDEX session_account ON auth.session (account_id, created_at);
-- An organisation that goes takes itself out of the sessions that chose it.
CREATE INDEX session_organisation ON auth.session (organisation_id) WHERE organisation_id IS NOT NULL;
CREATE INDEX session_expiry ON auth.session (expires_at);

-- What access tokens that have not expired are refused for: a session that ended, or a membership (account:tenant) whose
-- role changed. Every process reads what is new each second (auth/revocations.ts); a row lives little longer than an
-- access token.
CREATE TABLE auth.revocation (
  position       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The transaction that wrote it: readers go on from the oldest that was running when they last looked.
  xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
  subject        text        NOT NULL,
  -- Tokens of the membership below this revision; null for all tokens of the session.
  below_revision bigint,
  expires_at     timestamptz NOT NULL
);
CREATE INDEX revocation_xid ON auth.revocation (xid, position);
CREATE INDEX revocation_expiry ON auth.revocation (expires_at);

-- States of a key, by the clock of this database: it stands by (published, signs_from empty), waits (signs_from to come),
-- signs (the latest whose signs_from has come), verifies (a later one signs), is gone (verify_until has passed).
CREATE TABLE auth.signing_key (
  kid             text        PRIMARY KEY,
  algorithm       text        NOT NULL CHECK (algorithm IN ('EdDSA', 'RS256')),
  public_jwk      jsonb       NOT NULL,
  -- AES-256-GCM envelope (security/envelope.ts), bound to the kid.
  private_wrapped bytea       NOT NULL,
  published_at    timestamptz NOT NULL,
  signs_from      timestamptz,
  -- Set when a later one is to sign: by then the last token of this one has expired.
  verify_until    timestamptz CHECK (verify_until > signs_from)
);

SELECT db.protect_system_table('auth.session');
SELECT db.protect_system_table('auth.revocation');
-- Numbers of transactions tell nothing of anybody, and without samples of them reading what is new reads everything.
ALTER TABLE auth.revocation ALTER COLUMN xid SET STATISTICS -1;
SELECT db.protect_system_table('auth.signing_key');
