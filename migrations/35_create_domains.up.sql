-- Domains that organisations say are theirs, and show to be by a TXT record. Many may say so of one domain; one has it verified.
CREATE TABLE auth.domain (
  id            uuid        PRIMARY KEY,
  tenant_id     uuid        NOT NULL REFERENCES auth.organisation (id) ON DELETE CASCADE,
  -- As it stands in addresses: lower case, in ASCII.
  name          text        NOT NULL CHECK (length(name) BETWEEN 3 AND 231),
  -- What the record has to hold: everybody can read it there, so it is no secret.
  token         text        NOT NULL CHECK (length(token) = 43),
  created_at    timestamptz NOT NULL DEFAULT now(),
  verified_at   timestamptz,
  -- When name servers last answered.
  checked_at    timestamptz,
  -- Of a verified one: since when its record was not there, as far as name servers answered.
  missing_since timestamptz,
  -- Since when only its own name servers fail, while those above them answer.
  unanswered_since timestamptz,
  -- When the owners were warned of what is so now.
  warned_at     timestamptz,
  next_check_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, name)
);
CREATE UNIQUE INDEX domain_verified ON auth.domain (name) WHERE verified_at IS NOT NULL;
CREATE INDEX domain_check ON auth.domain (next_check_at) WHERE verified_at IS NOT NULL;

SELECT db.protect_tenant_table('auth.domain');

-- The provider that an organisation brings for the people of its verified domains: one, whichever domains they are. Its client's
-- secret stands in secrets.secret.
CREATE TABLE auth.identity_provider (
  -- Names it where OIDC_PROVIDERS have their ids: in redirect addresses and identities.
  id           uuid        PRIMARY KEY,
  tenant_id    uuid        NOT NULL UNIQUE REFERENCES auth.organisation (id) ON DELETE CASCADE,
  issuer       text        NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
  client_id    text        NOT NULL CHECK (length(client_id) BETWEEN 1 AND 500),
  -- What who signs in by it for the first time becomes. No owner: nobody vouches for those.
  default_role text        NOT NULL CHECK (default_role IN ('admin', 'member', 'viewer')),
  -- Whether members of the domains, but for owners, come into the organisation by it alone.
  is_required  boolean     NOT NULL,
  -- What sessions keep of it, renewed with another issuer: what one that is retired vouched for counts no more.
  vouch_id     uuid        NOT NULL DEFAULT gen_random_uuid(),
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);

SELECT db.protect_tenant_table('auth.identity_provider');
