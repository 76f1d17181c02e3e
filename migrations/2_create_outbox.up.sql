-- Transactional outbox: a row exists if and only if the transaction that caused it committed. The relay
-- publishes rows in `position` order within an aggregate and sets published_at exactly once.
-- Column names follow Debezium's outbox event router (docs/debezium.md). `position` is taken inside the
-- transaction that holds the aggregate's row lock, so for one aggregate it is commit order; ids come from
-- many clocks and are not.

CREATE TABLE events.outbox (
  id              uuid        PRIMARY KEY,
  position        bigint      GENERATED ALWAYS AS IDENTITY,
  tenant_id       uuid,
  destination     text        NOT NULL DEFAULT 'event',
  aggregate_type  text        NOT NULL,
  aggregate_id    text        NOT NULL,
  type            text        NOT NULL,
  version         integer     NOT NULL CHECK (version > 0),
  payload         jsonb       NOT NULL,
  headers         jsonb       NOT NULL DEFAULT '{}',
  occurred_at     timestamptz NOT NULL DEFAULT now(),
  created_at      timestamptz NOT NULL DEFAULT now(),
  published_at    timestamptz,
  attempts        integer     NOT NULL DEFAULT 0,
  -- Due time; while a relay holds the row it is the end of that relay's lease.
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  last_error      text,
  status          text        GENERATED ALWAYS AS (
    CASE WHEN published_at IS NOT NULL THEN 'SENT' WHEN last_error IS NOT NULL THEN 'FAILED' ELSE 'PENDING' END
  ) STORED
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- The claim walks unpublished rows in order; published ones, which are nearly all, are not in the index.
CREATE INDEX outbox_claim ON events.outbox (position) WHERE published_at IS NULL;
-- "Is an earlier row of this aggregate still on its way?"
CREATE INDEX outbox_aggregate ON events.outbox (aggregate_type, aggregate_id, position) WHERE published_at IS NULL;
CREATE INDEX outbox_tenant ON events.outbox (tenant_id, occurred_at);
-- Replay by kind and retention both read by time.
CREATE INDEX outbox_occurred ON events.outbox (occurred_at, type);

ALTER TABLE events.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE events.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON events.outbox
  USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid OR current_setting('app.system', true) = 'on')
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid OR current_setting('app.system', true) = 'on');

CREATE FUNCTION events.outbox_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'events.outbox is append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF OLD.published_at IS NULL OR current_setting('app.outbox_purge', true) IS DISTINCT FROM 'on' THEN
      RAISE EXCEPTION 'events.outbox is append-only: row % may not be deleted', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
  END IF;
  IF OLD.published_at IS NOT NULL THEN
    RAISE EXCEPTION 'events.outbox row % is already published', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.id, NEW.position, NEW.tenant_id, NEW.destination, NEW.aggregate_type, NEW.aggregate_id, NEW.type, NEW.version,
      NEW.payload, NEW.headers, NEW.occurred_at, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.position, OLD.tenant_id, OLD.destination, OLD.aggregate_type, OLD.aggregate_id, OLD.type, OLD.version,
      OLD.payload, OLD.headers, OLD.occurred_at, OLD.created_at) THEN
    RAISE EXCEPTION 'events.outbox is append-only: row % may not be rewritten', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER outbox_append_only BEFORE UPDATE OR DELETE ON events.outbox
  FOR EACH ROW EXECUTE FUNCTION events.outbox_guard();
CREATE TRIGGER outbox_no_truncate BEFORE TRUNCATE ON events.outbox
  FOR EACH STATEMENT EXECUTE FUNCTION events.outbox_guard();
