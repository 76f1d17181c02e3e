-- Webhooks that come in (services/webhooks/README.md): who may send some to an organisation, and what came.
-- The secrets that they are verified by are in secrets, as `app.webhook-source.ID`.
CREATE TABLE webhooks.source (
  id             uuid        PRIMARY KEY,
  tenant_id      uuid        NOT NULL,
  name           text        NOT NULL,
  scheme         text        NOT NULL CHECK (scheme IN ('standard', 'stripe', 'github')),
  -- Until then the secret before the present one is taken too.
  previous_until timestamptz,
  created_by     text        NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX source_tenant ON webhooks.source (tenant_id, created_at DESC, id DESC);

-- What came, by what is known again of it: the same again is a duplicate.
CREATE TABLE webhooks.received (
  tenant_id  uuid        NOT NULL,
  source_id  uuid        NOT NULL,
  dedupe_key text        NOT NULL CHECK (length(dedupe_key) <= 300),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, source_id, dedupe_key)
);
CREATE INDEX received_age ON webhooks.received (created_at);

SELECT db.protect_tenant_table('webhooks.source');
SELECT db.protect_tenant_table('webhooks.received');
