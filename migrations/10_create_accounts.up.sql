-- Who people are (accounts), where they work (organisations: the tenants) and in which role (memberships).
-- An account has no tenant: one person may work in several organisations. Nothing a tenant's request does
-- reads accounts, so their policy admits the system alone.

CREATE TABLE auth.account (
  id            uuid        PRIMARY KEY,
  -- Normalised by the app (NFKC, trimmed, lower case): what makes two spellings one person.
  email         text        NOT NULL CONSTRAINT account_email_key UNIQUE,
  -- Null for an account that signs in without one.
  password_hash text,
  -- When its owner showed to read the mails of this address; null until then.
  email_verified_at timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now(),
  -- Of one that its owner deleted: until then it can be taken back. Null while it is live.
  purge_at      timestamptz
);
CREATE INDEX account_purge ON auth.account (purge_at) WHERE purge_at IS NOT NULL;

-- The id is the tenant id that every other table carries.
CREATE TABLE auth.organisation (
  id         uuid        PRIMARY KEY,
  name       text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Of one that its owner deleted: until then it can be restored. Null while it is live.
  purge_at   timestamptz
);
CREATE INDEX organisation_purge ON auth.organisation (purge_at) WHERE purge_at IS NOT NULL;

CREATE SEQUENCE auth.membership_revision;

-- Roles that an organisation made itself, of permissions.
CREATE TABLE auth.role (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid        NOT NULL REFERENCES auth.organisation (id) ON DELETE CASCADE,
  name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  permissions text[]      NOT NULL CHECK (cardinality(permissions) > 0),
  created_at  timestamptz NOT NULL DEFAULT now(),
  -- Of the numbers of memberships, and grows with each change of the permissions: access tokens of whoever holds the role
  -- name the greater of the two.
  revision    bigint      NOT NULL DEFAULT nextval('auth.membership_revision'),
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX role_name ON auth.role (tenant_id, lower(name));

CREATE TABLE auth.membership (
  tenant_id  uuid        NOT NULL REFERENCES auth.organisation (id),
  account_id uuid        NOT NULL REFERENCES auth.account (id),
  role       text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer', 'custom')),
  role_id    uuid        CHECK ((role = 'custom') = (role_id IS NOT NULL)),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Grows with each change of the role, and over a removal too. Access tokens name it, so that those of before a change
  -- can be told from those of after it without comparing clocks.
  revision   bigint      NOT NULL DEFAULT nextval('auth.membership_revision'),
  PRIMARY KEY (tenant_id, account_id),
  FOREIGN KEY (tenant_id, role_id) REFERENCES auth.role (tenant_id, id)
);
CREATE INDEX membership_role ON auth.membership (tenant_id, role_id);
-- Lists go from the newest member on.
CREATE INDEX membership_newest ON auth.membership (tenant_id, created_at, account_id);
-- Sign-in asks for the oldest membership of an account.
CREATE INDEX membership_account ON auth.membership (account_id, created_at);

-- Who was removed or has left: an organisation's provider makes no member of them again, an invitation does.
CREATE TABLE auth.ended_membership (
  tenant_id  uuid        NOT NULL REFERENCES auth.organisation (id) ON DELETE CASCADE,
  account_id uuid        NOT NULL REFERENCES auth.account (id) ON DELETE CASCADE,
  ended_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, account_id)
);
CREATE INDEX ended_membership_account ON auth.ended_membership (account_id);

SELECT db.protect_system_table('auth.account');
SELECT db.protect_tenant_table('auth.organisation', 'id');
SELECT db.protect_tenant_table('auth.role');
SELECT db.protect_tenant_table('auth.membership');
SELECT db.protect_tenant_table('auth.ended_membership');
