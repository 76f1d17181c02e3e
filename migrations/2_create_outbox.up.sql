-- Transactional outbox: a row exists if and only if the transaction that caused it committed. The relay
-- publishes rows in `position` order within an aggregate and sets published_at exactly once.
-- Column names follow Debezium's outbox event router (docs/debezium.md). `position` is taken inside the
-- transaction that holds the aggregate's row lock, so for one aggregate it is commit order; ids come from
-- many clocks and are not.
--
-- What a relay claims are aggregates, not rows: one row here for each aggregate (of a destination and a tenant) that
-- has something to publish. So a claim costs what it takes, however many rows wait behind one that fails, and two
-- relays cannot hold rows of one aggregate, without a lock around the claim. graphile-worker keeps its named queues
-- this way (a row a queue); here the row goes when the aggregate has nothing left.
CREATE TABLE events.outbox_aggregate (
  -- Hash of destination, tenant, aggregate type and id: see outbox_enter().
  key          uuid        PRIMARY KEY,
  tenant_id    uuid,
  destination  text        NOT NULL,
  -- When its first unpublished row may be tried.
  due_at       timestamptz NOT NULL,
  -- The claim that holds it, and until when: a relay that is killed holds nothing for longer.
  lease_id     uuid,
  leased_until timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_aggregate_due ON events.outbox_aggregate (destination, due_at);
-- Claims that share between tenants read each one's own from it.
CREATE INDEX outbox_aggregate_tenant ON events.outbox_aggregate (tenant_id, destination, due_at);

CREATE TABLE events.outbox (
  id              uuid        PRIMARY KEY,
  position        bigint      GENERATED ALWAYS AS IDENTITY,
  tenant_id       uuid,
  destination     text        NOT NULL DEFAULT 'event',
  aggregate_type  text        NOT NULL,
  aggregate_id    text        NOT NULL,
  aggregate_key   uuid        NOT NULL,
  type            text        NOT NULL,
  version         integer     NOT NULL CHECK (version > 0),
  payload         jsonb       NOT NULL,
  headers         jsonb       NOT NULL DEFAULT '{}',
  occurred_at     timestamptz NOT NULL DEFAULT now(),
  created_at      timestamptz NOT NULL DEFAULT now(),
  -- When nobody has to hand it over any more: it was, or it was given up.
  published_at    timestamptz,
  dead_at         timestamptz,
  attempts        integer     NOT NULL DEFAULT 0,
  -- Those of them that failed while its destination accepted others: they are the row's own fault.
  refusals        integer     NOT NULL DEFAULT 0,
  -- Not before; moved on by each failure.
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  last_error      text,
  status          text        GENERATED ALWAYS AS (
    CASE WHEN dead_at IS NOT NULL THEN 'DEAD' WHEN published_at IS NOT NULL THEN 'SENT' WHEN last_error IS NOT NULL THEN 'FAILED' ELSE 'PENDING' END
  ) STORED
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- The rows of an aggregate that wait, in order; published ones, which are nearly all, are not in the index.
CREATE INDEX outbox_unpublished ON events.outbox (aggregate_key, position) WHERE published_at IS NULL;
CREATE INDEX outbox_tenant ON events.outbox (tenant_id, occurred_at);
-- Retention reads from the oldest on.
CREATE INDEX outbox_published ON events.outbox (published_at) WHERE published_at IS NOT NULL;

SELECT db.protect_tenant_table('events.outbox');

SELECT db.protect_tenant_table('events.outbox_aggregate');

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
  IF (NEW.id, NEW.position, NEW.tenant_id, NEW.destination, NEW.aggregate_type, NEW.aggregate_id, NEW.aggregate_key, NEW.type, NEW.version,
      NEW.payload, NEW.headers, NEW.occurred_at, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.position, OLD.tenant_id, OLD.destination, OLD.aggregate_type, OLD.aggregate_id, OLD.aggregate_key, OLD.type, OLD.version,
      OLD.payload, OLD.headers, OLD.occurred_at, OLD.created_at) THEN
    RAISE EXCEPTION 'events.outbox is append-only: row % may not be rewritten', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$$;

-- Two for what is published once and not rewritten: what a claim and a settlement do to each row runs neither.
CREATE TRIGGER outbox_append_only BEFORE DELETE OR UPDATE OF id, position, tenant_id, destination, aggregate_type, aggregate_id, aggregate_key,
    type, version, payload, headers, occurred_at, created_at ON events.outbox
  FOR EACH ROW EXECUTE FUNCTION events.outbox_guard();
CREATE TRIGGER outbox_published_once BEFORE UPDATE ON events.outbox
  FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION events.outbox_guard();
CREATE TRIGGER outbox_no_truncate BEFORE TRUNCATE ON events.outbox
  FOR EACH STATEMENT EXECUTE FUNCTION events.outbox_guard();

-- Makes the aggregate's row known to the relay. The lock (shared between those who write, passed over by claims)
-- keeps outbox_rest() from removing the aggregate before this transaction has committed.
CREATE FUNCTION events.outbox_enter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  NEW.aggregate_key := encode(substr(sha256(convert_to(
    jsonb_build_array(NEW.destination, NEW.tenant_id, NEW.aggregate_type, NEW.aggregate_id)::text, 'UTF8')), 1, 16), 'hex')::uuid;
  FOR attempt IN 1..100 LOOP
    PERFORM 1 FROM events.outbox_aggregate a WHERE a.key = NEW.aggregate_key FOR KEY SHARE;
    IF FOUND THEN RETURN NEW; END IF;
    INSERT INTO events.outbox_aggregate (key, tenant_id, destination, due_at)
    VALUES (NEW.aggregate_key, NEW.tenant_id, NEW.destination, NEW.next_attempt_at) ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN NEW; END IF;
  END LOOP;
  RAISE EXCEPTION 'events.outbox_aggregate % can neither be seen nor made', NEW.aggregate_key;
END
$$;
CREATE TRIGGER outbox_enter BEFORE INSERT ON events.outbox FOR EACH ROW EXECUTE FUNCTION events.outbox_enter();

-- Appends a row; an id that is already there is left as it is. A function only because a connection keeps its plan: reading and
-- planning the statement anew, which connections without named statements do each time, costs a seventh of it.
CREATE FUNCTION events.outbox_append(row_id uuid, tenant uuid, target text, about_type text, about_id text, kind text, kind_version integer, content jsonb, facts jsonb)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO events.outbox (id, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, headers)
  VALUES (row_id, tenant, target, about_type, about_id, kind, kind_version, content, facts)
  ON CONFLICT ON CONSTRAINT outbox_pkey DO NOTHING;
END
$$;

-- A hand on next_attempt_at (an operator who wants a row tried now, or later) moves the aggregate along.
CREATE FUNCTION events.outbox_reschedule() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  UPDATE events.outbox_aggregate SET due_at = NEW.next_attempt_at WHERE key = NEW.aggregate_key;
  RETURN NULL;
END
$$;
CREATE TRIGGER outbox_reschedule AFTER UPDATE OF next_attempt_at ON events.outbox FOR EACH ROW
  WHEN (NEW.published_at IS NULL AND NEW.next_attempt_at IS DISTINCT FROM OLD.next_attempt_at)
  EXECUTE FUNCTION events.outbox_reschedule();

-- Ends leases: an aggregate without unpublished rows goes, any other is due when its first row is. Removing it takes
-- two statements, because what the second sees must be younger than the lock of the first; one that somebody writes
-- to just now stays and is looked at again. Whether a row waits is asked by a subquery with a limit, which is one look at the
-- index for each key: EXISTS became a join with all that waits wherever statistics were older than a burst.
CREATE FUNCTION events.outbox_rest(keys uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  empty uuid[];
  gone uuid[];
BEGIN
  SELECT array_agg(locked.key) INTO empty FROM unnest(keys) AS k(key) CROSS JOIN LATERAL (
    SELECT a.key FROM events.outbox_aggregate a
     WHERE a.key = k.key
       AND (SELECT o.id FROM events.outbox o WHERE o.aggregate_key = a.key AND o.published_at IS NULL ORDER BY o.position LIMIT 1) IS NULL
       FOR UPDATE SKIP LOCKED) locked;
  IF empty IS NOT NULL THEN
    WITH removed AS (
      DELETE FROM events.outbox_aggregate a
       WHERE a.key = ANY (empty)
         AND (SELECT o.id FROM events.outbox o WHERE o.aggregate_key = a.key AND o.published_at IS NULL ORDER BY o.position LIMIT 1) IS NULL
       RETURNING a.key)
    SELECT array_agg(removed.key) INTO gone FROM removed;
  END IF;
  IF cardinality(gone) = cardinality(keys) THEN RETURN; END IF;
  UPDATE events.outbox_aggregate a
     SET lease_id = NULL, leased_until = NULL,
         due_at = greatest(now(), (SELECT o.next_attempt_at FROM events.outbox o
                                    WHERE o.aggregate_key = a.key AND o.published_at IS NULL ORDER BY o.position LIMIT 1))
   WHERE a.key = ANY (keys) AND (gone IS NULL OR a.key <> ALL (gone));
END
$$;

-- Tenants that have something to publish, in the order of their ids after the given one, `visits_max` at most, and whether
-- something of it is due for this destination: from index entry to index entry, however much each has.
CREATE FUNCTION events.outbox_tenants(target text, after uuid, visits_max integer)
  RETURNS TABLE (id uuid, is_due boolean) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  WITH RECURSIVE tenant AS (
    (SELECT a.tenant_id AS id, 1 AS place FROM events.outbox_aggregate a WHERE a.tenant_id > after ORDER BY a.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT a.tenant_id FROM events.outbox_aggregate a WHERE a.tenant_id > tenant.id ORDER BY a.tenant_id LIMIT 1), tenant.place + 1
      FROM tenant WHERE tenant.id IS NOT NULL AND tenant.place < visits_max
  )
  SELECT tenant.id, EXISTS (SELECT FROM events.outbox_aggregate a
                             WHERE a.tenant_id = tenant.id AND a.destination = target AND a.due_at <= now())
    FROM tenant WHERE tenant.id IS NOT NULL ORDER BY tenant.place
$$;

-- Leases up to `row_limit` due aggregates and returns their first unpublished rows, up to `row_limit` in all: first those
-- of `tenants`, and of no tenant, in equal shares, so that nobody's backlog makes them wait; then the longest due of all,
-- so that whoever is not named is not passed over for ever. The rows are read by a statement after those that take the leases, so that
-- it sees what the aggregate's last holder published. Attempts are counted here: a row that kills its relay is counted too.
CREATE FUNCTION events.outbox_claim(target text, row_limit integer, lease uuid, lease_ms integer, tenants uuid[])
  RETURNS SETOF events.outbox LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  taken uuid[];
  more uuid[];
  idle uuid[];
  ids uuid[];
  share integer := greatest(1, row_limit / (cardinality(tenants) + 1));
BEGIN
  IF cardinality(tenants) > 0 THEN
    WITH due AS (
      SELECT own.key FROM unnest(tenants) AS t(id) CROSS JOIN LATERAL (
        SELECT a.key FROM events.outbox_aggregate a
         WHERE a.tenant_id = t.id AND a.destination = target AND a.due_at <= now() AND (a.leased_until IS NULL OR a.leased_until <= now())
         ORDER BY a.due_at LIMIT share FOR NO KEY UPDATE SKIP LOCKED) own
      UNION ALL
      SELECT nobodys.key FROM (
        SELECT a.key FROM events.outbox_aggregate a
         WHERE a.tenant_id IS NULL AND a.destination = target AND a.due_at <= now() AND (a.leased_until IS NULL OR a.leased_until <= now())
         ORDER BY a.due_at LIMIT share FOR NO KEY UPDATE SKIP LOCKED) nobodys
      LIMIT row_limit
    ), leased AS (
      UPDATE events.outbox_aggregate a SET lease_id = lease, leased_until = now() + lease_ms * interval '1 millisecond'
        FROM due WHERE a.key = due.key RETURNING a.key
    )
    SELECT array_agg(leased.key) INTO taken FROM leased;
  END IF;
  WITH due AS (
    SELECT a.key FROM events.outbox_aggregate a
     WHERE a.destination = target AND a.due_at <= now() AND (a.leased_until IS NULL OR a.leased_until <= now())
     ORDER BY a.due_at LIMIT row_limit - coalesce(cardinality(taken), 0) FOR NO KEY UPDATE SKIP LOCKED
  ), leased AS (
    UPDATE events.outbox_aggregate a SET lease_id = lease, leased_until = now() + lease_ms * interval '1 millisecond'
      FROM due WHERE a.key = due.key RETURNING a.key
  )
  SELECT array_agg(leased.key) INTO more FROM leased;
  taken := CASE WHEN taken IS NULL THEN more WHEN more IS NULL THEN taken ELSE taken || more END;
  IF taken IS NULL THEN RETURN; END IF;

  SELECT array_agg(head.id) FILTER (WHERE head.is_due),
         array_agg(t.key) FILTER (WHERE head.id IS NULL OR head.place = 1 AND NOT head.is_due)
    INTO ids, idle
    FROM unnest(taken) AS t(key)
    LEFT JOIN LATERAL (
      SELECT first.id, row_number() OVER up AS place, bool_and(first.next_attempt_at <= now()) OVER up AS is_due
        FROM (SELECT o.id, o.position, o.next_attempt_at FROM events.outbox o
               WHERE o.aggregate_key = t.key AND o.published_at IS NULL
               ORDER BY o.position LIMIT greatest(1, row_limit / cardinality(taken))) first
      WINDOW up AS (ORDER BY first.position)
    ) head ON true;
  IF idle IS NOT NULL THEN PERFORM events.outbox_rest(idle); END IF;
  RETURN QUERY UPDATE events.outbox o SET attempts = o.attempts + 1 
                WHERE o.id = ANY (ids) AND o.published_at IS NULL RETURNING o.*;
END
$$;

-- Writes down what became of claimed rows and ends the leases of their aggregates. What was published is published,
-- also when it is said after the lease has passed to another; failures count only while the lease is this claim's own.
CREATE FUNCTION events.outbox_settle(lease uuid, keys uuid[], published uuid[], released uuid[],
                                     failed uuid[], retry_in_ms integer[], refused boolean[], errors text[],
                                     dead uuid[], letters uuid[], dead_errors text[])
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  own uuid[];
BEGIN
  UPDATE events.outbox SET published_at = now(), last_error = NULL WHERE id = ANY (published) AND published_at IS NULL;
  SELECT coalesce(array_agg(held.key), '{}') INTO own FROM (
    SELECT a.key FROM events.outbox_aggregate a WHERE a.key = ANY (keys) AND a.lease_id = lease FOR NO KEY UPDATE) held;
  IF cardinality(released) > 0 THEN
    UPDATE events.outbox o SET attempts = o.attempts - 1
     WHERE o.id = ANY (released) AND o.published_at IS NULL AND o.aggregate_key = ANY (own);
  END IF;
  IF cardinality(failed) > 0 THEN
    UPDATE events.outbox o SET next_attempt_at = now() + f.retry_in_ms * interval '1 millisecond', last_error = f.error, refusals = o.refusals + f.refused::int
      FROM unnest(failed, retry_in_ms, refused, errors) AS f(id, retry_in_ms, refused, error)
     WHERE o.id = f.id AND o.published_at IS NULL AND o.aggregate_key = ANY (own);
  END IF;
  -- Given up: a dead letter of the relay, which can be sent again like any other, and its aggregate goes on without it.
  IF cardinality(dead) > 0 THEN
    WITH buried AS (
      UPDATE events.outbox o SET published_at = now(), dead_at = now(), last_error = d.error
        FROM unnest(dead, letters, dead_errors) AS d(id, letter, error)
       WHERE o.id = d.id AND o.published_at IS NULL AND o.aggregate_key = ANY (own)
       RETURNING d.letter, d.error, o.*
    )
    INSERT INTO events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, headers,
                                    occurred_at, reason, error, trace_id, attempts)
    SELECT b.letter, b.tenant_id, 'relay:' || b.destination, coalesce((b.headers ->> 'redrive-of')::uuid, b.id), b.aggregate_type, b.aggregate_id, b.type,
           b.version, b.payload, b.headers, b.occurred_at, 'not_handed_over', b.error, nullif(split_part(b.headers ->> 'traceparent', '-', 2), ''), b.attempts
      FROM buried b;
    -- A redrive goes to the consumers anew.
    DELETE FROM events.detour WHERE event_id = ANY (dead);
  END IF;
  PERFORM events.outbox_rest(own);
  -- Said late, and nobody holds the aggregate: its next row need not wait for the retry of the published one.
  IF cardinality(own) < cardinality(keys) THEN
    UPDATE events.outbox_aggregate a SET due_at = now()
      FROM unnest(keys) AS k(key) CROSS JOIN LATERAL (
        SELECT l.key FROM events.outbox_aggregate l
         WHERE l.key = k.key AND l.key <> ALL (own) AND l.lease_id IS NULL AND l.due_at > now()
           FOR NO KEY UPDATE SKIP LOCKED) late
     WHERE a.key = late.key;
  END IF;
END
$$;
