-- Who is asked to join an organisation, by mail. One for each address: a newer invitation replaces the one before. Of the mailed
-- token only a hash is kept. A row goes when the invitation is accepted, revoked or expired.
CREATE TABLE auth.invitation (
  id         uuid        PRIMARY KEY,
  tenant_id  uuid        NOT NULL REFERENCES auth.organisation (id) ON DELETE CASCADE,
  email      text        NOT NULL,
  role       text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer', 'custom')),
  role_id    uuid        CHECK ((role = 'custom') = (role_id IS NOT NULL)),
  -- It counts while they may still invite to this role.
  invited_by uuid        NOT NULL REFERENCES auth.account (id) ON DELETE CASCADE,
  -- Null until the job that mails it has made the token.
  hash       bytea       CONSTRAINT invitation_hash UNIQUE CHECK (octet_length(hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  UNIQUE (tenant_id, email),
  FOREIGN KEY (tenant_id, role_id) REFERENCES auth.role (tenant_id, id)
);
CREATE INDEX invitation_role ON auth.invitation (tenant_id, role_id);
CREATE INDEX invitation_newest ON auth.invitation (tenant_id, created_at, id);
CREATE INDEX invitation_inviter ON auth.invitation (invited_by);
CREATE INDEX invitation_expiry ON auth.invitation (expires_at);

SELECT db.protect_tenant_table('auth.invitation');
