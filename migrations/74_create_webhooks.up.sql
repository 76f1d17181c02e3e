-- Webhooks of organisations (services/webhooks/README.md): where they go, what goes there, and what became of it.
CREATE SCHEMA webhooks;

--   active → disabled    by hand; `gone` (the receiver answered 410); `failing` (for five days)
--   disabled → active    by hand
-- The keys that sign for it are in secrets, as `app.webhook-endpoint.ID`.
CREATE TABLE webhooks.endpoint (
  id              uuid        PRIMARY KEY,
  tenant_id       uuid        NOT NULL,
  url             text        NOT NULL CHECK (length(url) <= 2048),
  description     text        NOT NULL DEFAULT '',
  -- None: all of them.
  event_types     text[]      NOT NULL DEFAULT '{}' CHECK (cardinality(event_types) <= 100),
  ordering        text        NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'aggregate')),
  status          text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  disabled_reason text        CHECK (disabled_reason IN ('by_hand', 'gone', 'failing')),
  disabled_at     timestamptz,
  -- The first failure since it answered last, and the last one.
  failing_since   timestamptz,
  last_failed_at  timestamptz,
  -- Until then the keys before the present ones sign too.
  previous_until  timestamptz,
  created_by      text        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
  CHECK ((status = 'disabled') = (disabled_at IS NOT NULL))
);
CREATE INDEX endpoint_tenant ON webhooks.endpoint (tenant_id, created_at DESC, id DESC);

-- What is sent, once for all endpoints that get it: an event of the catalogue, or a test.
CREATE TABLE webhooks.message (
  tenant_id   uuid        NOT NULL,
  -- The event's own: receivers know by it what they have had.
  id          uuid        NOT NULL,
  event_type  text        NOT NULL,
  -- Type and id, within which order is kept.
  aggregate   text        NOT NULL,
  body        text        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX message_time ON webhooks.message (tenant_id, created_at, id);
CREATE INDEX message_age ON webhooks.message (created_at);

--   pending → delivered | failed     an attempt is under way or asked for; `failed`: after the last one
--   waiting → pending                behind another of its aggregate, where the endpoint asks for order
--   pending, waiting → missed        the endpoint is disabled; so is what comes while it is
CREATE TABLE webhooks.delivery (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid        NOT NULL,
  endpoint_id uuid        NOT NULL,
  message_id  uuid        NOT NULL,
  state       text        NOT NULL CHECK (state IN ('waiting', 'pending', 'delivered', 'failed', 'missed')),
  -- That are over.
  attempts    integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- Null where no order is kept.
  aggregate   text,
  position    bigint      GENERATED ALWAYS AS IDENTITY,
  created_at  timestamptz NOT NULL DEFAULT now(),
  ended_at    timestamptz,
  CHECK ((state IN ('waiting', 'pending')) = (ended_at IS NULL)),
  CHECK (state <> 'waiting' OR aggregate IS NOT NULL)
);
CREATE INDEX delivery_message ON webhooks.delivery (tenant_id, endpoint_id, message_id, position);
CREATE INDEX delivery_order ON webhooks.delivery (tenant_id, endpoint_id, aggregate, position)
  WHERE ended_at IS NULL AND aggregate IS NOT NULL;
CREATE INDEX delivery_age ON webhooks.delivery (created_at);

CREATE TABLE webhooks.attempt (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid        NOT NULL,
  endpoint_id uuid        NOT NULL,
  delivery_id uuid        NOT NULL,
  message_id  uuid        NOT NULL,
  event_type  text        NOT NULL,
  -- Of its delivery, from 1.
  number      integer     NOT NULL CHECK (number > 0),
  outcome     text        NOT NULL CHECK (outcome IN ('delivered', 'failed')),
  -- What the receiver answered; null when it did not.
  http_status integer,
  -- Why it failed, in one lower_snake word.
  error       text,
  -- The beginning of what it answered.
  response    text,
  duration_ms integer     NOT NULL,
  next_at     timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CHECK ((outcome = 'failed') = (error IS NOT NULL))
);
CREATE INDEX attempt_tenant ON webhooks.attempt (tenant_id, endpoint_id, created_at DESC, id DESC);
CREATE INDEX attempt_age ON webhooks.attempt (created_at);

SELECT db.protect_tenant_table('webhooks.endpoint');
SELECT db.protect_tenant_table('webhooks.message');
SELECT db.protect_tenant_table('webhooks.delivery');
SELECT db.protect_tenant_table('webhooks.attempt');
