-- Inbox: what each consumer has already done. The row is written in the transaction of the effect, so an
-- event delivered twice acts once. A failing event counts its attempts here in a transaction of its own.

CREATE TABLE events.inbox (
  consumer     text        NOT NULL,
  event_id     uuid        NOT NULL,
  tenant_id    uuid,
  type         text        NOT NULL,
  attempts     integer     NOT NULL DEFAULT 0,
  received_at  timestamptz NOT NULL DEFAULT now(),
  processed_at timestamptz,
  dead_at      timestamptz,
  last_error   text,
  PRIMARY KEY (consumer, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX inbox_tenant ON events.inbox (tenant_id, received_at);
CREATE INDEX inbox_received ON events.inbox (received_at);

-- Events on their way to a consumer by the topic: what follows in their aggregate does not overtake them
-- (events/direct-delivery.ts). Few: the relay itself hands events to the consumers of its process.
CREATE TABLE events.detour (
  consumer      text        NOT NULL,
  aggregate_key uuid        NOT NULL,
  event_id      uuid        NOT NULL,
  tenant_id     uuid,
  begun_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX detour_aggregate ON events.detour (aggregate_key, consumer);
CREATE INDEX detour_tenant ON events.detour (tenant_id);
CREATE INDEX detour_begun ON events.detour (begun_at);

-- Dead letters: events a consumer has given up on, with what a person needs to decide about them.
CREATE TABLE events.dead_letter (
  id             uuid        PRIMARY KEY,
  tenant_id      uuid,
  consumer       text        NOT NULL,
  event_id       uuid        NOT NULL,
  aggregate_type text        NOT NULL,
  aggregate_id   text        NOT NULL,
  type           text        NOT NULL,
  version        integer     NOT NULL,
  payload        jsonb       NOT NULL,
  headers        jsonb       NOT NULL DEFAULT '{}',
  occurred_at    timestamptz NOT NULL,
  reason         text        NOT NULL,
  error          text        NOT NULL,
  trace_id       text,
  attempts       integer     NOT NULL,
  dead_at        timestamptz NOT NULL DEFAULT now(),
  redriven_at    timestamptz,
  discarded_at   timestamptz
);
CREATE INDEX dead_letter_tenant ON events.dead_letter (tenant_id, dead_at, id);
-- Retention reads from the oldest on.
CREATE INDEX dead_letter_dead ON events.dead_letter (dead_at);
-- What of one consumer is open: lists and redrives read from it, in the order of giving up.
CREATE INDEX dead_letter_open ON events.dead_letter (tenant_id, consumer, dead_at, id) WHERE redriven_at IS NULL AND discarded_at IS NULL;

SELECT db.protect_tenant_table('events.inbox');
SELECT db.protect_tenant_table('events.detour');
SELECT db.protect_tenant_table('events.dead_letter');

-- Which events each consumer handles, as each version of the app that runs declares it: publishing reads here who wants
-- an event, and a replica without a handler whether the next version has one. A row for each consumer and version.
CREATE TABLE events.consumer_declaration (
  consumer text        NOT NULL,
  -- Of what it declares: processes of one version share the row.
  digest   bytea       NOT NULL,
  handled  text[]      NOT NULL,
  -- What that version of the app knows at all.
  known    text[]      NOT NULL,
  seen_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, digest)
) WITH (fillfactor = 50);

SELECT db.protect_system_table('events.consumer_declaration');
