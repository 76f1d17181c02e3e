-- Who people are elsewhere: accounts at OpenID providers that sign in to accounts here. One is known by the issuer and
-- its subject (OpenID Connect Core §5.7), never by its e-mail, and only through the provider it came by: an organisation
-- that brings a provider must not speak for accounts that another one vouches for.
CREATE TABLE auth.identity (
  id              uuid        PRIMARY KEY,
  account_id      uuid        NOT NULL REFERENCES auth.account (id) ON DELETE CASCADE,
  -- The id of a provider of the installation (OIDC_PROVIDERS), or of an organisation (auth.identity_provider).
  provider        text        NOT NULL CHECK (length(provider) <= 64),
  issuer          text        NOT NULL CHECK (length(issuer) <= 500),
  subject         text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
  -- What the provider called it when it was linked: for its owner's list.
  email           text        CHECK (length(email) <= 254),
  -- How the two came together (auth/oidc/linking.ts).
  how             text        NOT NULL CHECK (how IN ('registered', 'matched', 'claimed', 'linked')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  last_used_at    timestamptz,
  CONSTRAINT identity_subject UNIQUE (provider, issuer, subject)
);
CREATE INDEX identity_account ON auth.identity (account_id, created_at);

SELECT db.protect_system_table('auth.identity');
