-- What calls of model providers cost, and what they may cost. Amounts are micro-dollars.
CREATE SCHEMA ai;

-- What an organisation, or one or each of its users or keys, may spend in a day or a month (UTC).
CREATE TABLE ai.budget (
  tenant_id       uuid        NOT NULL,
  name            text        NOT NULL,
  -- 'organisation', 'user:ID', 'key:ID', 'service:ID'; 'user:*' and so on for each of them.
  subject         text        NOT NULL,
  period          text        NOT NULL CHECK (period IN ('day', 'month')),
  limit_micro_usd bigint      NOT NULL CHECK (limit_micro_usd >= 0),
  enforcement     text        NOT NULL CHECK (enforcement IN ('hard', 'soft')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name)
);

-- One row for each subject and period, whether or not a budget is set: one that is set later knows what was spent before. Whoever
-- reserves adds to it first and looks at the sum then: the row's lock lets nobody look in between.
CREATE TABLE ai.spending (
  tenant_id          uuid   NOT NULL,
  -- As of a budget; 'installation' is the organisation by the installation's own keys.
  subject            text   NOT NULL,
  period             text   NOT NULL CHECK (period IN ('day', 'month')),
  starts_on          date   NOT NULL,
  spent_micro_usd    bigint NOT NULL DEFAULT 0 CHECK (spent_micro_usd >= 0),
  reserved_micro_usd bigint NOT NULL DEFAULT 0 CHECK (reserved_micro_usd >= 0),
  calls              bigint NOT NULL DEFAULT 0,
  input_tokens       bigint NOT NULL DEFAULT 0,
  output_tokens      bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, subject, period, starts_on)
);
CREATE INDEX spending_start ON ai.spending (starts_on);

-- What a call may cost, while it is under way.
CREATE TABLE ai.reservation (
  id               uuid        PRIMARY KEY,
  tenant_id        uuid        NOT NULL,
  subject          text        NOT NULL,
  day              date        NOT NULL,
  kind             text        NOT NULL,
  provider         text        NOT NULL,
  model            text        NOT NULL,
  key_of           text        NOT NULL CHECK (key_of IN ('installation', 'organisation')),
  price_list       integer     NOT NULL,
  amount_micro_usd bigint      NOT NULL CHECK (amount_micro_usd >= 0),
  -- Then the process that made it is dead, and upkeep counts all of it as spent.
  expires_at       timestamptz NOT NULL
);
CREATE INDEX reservation_tenant ON ai.reservation (tenant_id);
CREATE INDEX reservation_expiry ON ai.reservation (expires_at);

-- What became of each call that was paid for, or may have been.
CREATE TABLE ai.usage (
  -- Its reservation's.
  id             uuid        PRIMARY KEY,
  tenant_id      uuid        NOT NULL,
  subject        text        NOT NULL,
  kind           text        NOT NULL,
  provider       text        NOT NULL,
  model          text        NOT NULL,
  key_of         text        NOT NULL,
  price_list     integer     NOT NULL,
  -- 'answered', 'cut' (it ended early), 'failed', 'expired' (its process died).
  outcome        text        NOT NULL,
  input_tokens   bigint      NOT NULL,
  output_tokens  bigint      NOT NULL,
  cost_micro_usd bigint      NOT NULL,
  at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX usage_tenant ON ai.usage (tenant_id, at, id);
CREATE INDEX usage_time ON ai.usage (at);

SELECT db.protect_tenant_table('ai.budget');
SELECT db.protect_tenant_table('ai.spending');
SELECT db.protect_tenant_table('ai.reservation');
SELECT db.protect_tenant_table('ai.usage');
