-- A session is one sign-in: the family of all refresh tokens that descend from it. Tokens are kept as
-- SHA-256 of 256 random bits (nothing to guess, so no slow hash), each is good for one use, and using one
-- a second time ends the family (RFC 9700 §4.14.2). The keys that sign access tokens stand beside them,
-- private parts wrapped with the master key.

CREATE TABLE auth.session (
  id             uuid        PRIMARY KEY,
  tenant_id      uuid        NOT NULL REFERENCES auth.organisation (id),
  account_id     uuid        NOT NULL REFERENCES auth.account (id),
  created_at     timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  revoked_at     timestamptz,
  revoked_reason text        CHECK (revoked_reason IN ('logout', 'token_reuse')),
  CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX session_tenant ON auth.session (tenant_id, account_id);
CREATE INDEX session_expiry ON auth.session (expires_at);

CREATE TABLE auth.refresh_token (
  token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  tenant_id  uuid        NOT NULL,
  session_id uuid        NOT NULL REFERENCES auth.session (id) ON DELETE CASCADE,
  issued_at  timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX refresh_token_tenant ON auth.refresh_token (tenant_id, session_id);
CREATE INDEX refresh_token_session ON auth.refresh_token (session_id);

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

ALTER TABLE auth.session ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.session FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON auth.session
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid OR current_setting('app.system', true) = 'on')
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid OR current_setting('app.system', true) = 'on');

ALTER TABLE auth.refresh_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.refresh_token FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON auth.refresh_token
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid OR current_setting('app.system', true) = 'on')
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid OR current_setting('app.system', true) = 'on');

ALTER TABLE auth.signing_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.signing_key FORCE ROW LEVEL SECURITY;
CREATE POLICY system_only ON auth.signing_key
  USING (current_setting('app.system', true) = 'on')
  WITH CHECK (current_setting('app.system', true) = 'on');
