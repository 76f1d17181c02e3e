-- What waits for a consumer keeps its order whatever the topic does beside.
--
-- How often an event was put by for a consumer. A message that was sent before the last time is a repetition of what the consumer has told
-- the topic that it is done with: it is passed over, because the event's own copy has its place in the outbox, behind others.
-- Counted by a trigger, so that versions of the app count which know nothing of it. Not where a replay takes copies: it takes the notes away.
ALTER TABLE events.inbox ADD COLUMN round integer NOT NULL DEFAULT 0;

CREATE FUNCTION events.count_round() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO events.inbox AS i (consumer, event_id, tenant_id, type, round)
  SELECT h.consumer, h.event_id, h.tenant_id, h.type, 1 FROM put_by h WHERE h.replay_id IS NULL ORDER BY h.consumer, h.event_id
  ON CONFLICT (consumer, event_id) DO UPDATE SET round = i.round + 1 WHERE i.processed_at IS NULL AND i.dead_at IS NULL;
  RETURN NULL;
END
$$;
CREATE TRIGGER held_counted AFTER INSERT ON events.held REFERENCING NEW TABLE AS put_by FOR EACH STATEMENT EXECUTE FUNCTION events.count_round();

-- A dead letter that is sent again is a message of its own, whatever its event went through before.
CREATE FUNCTION events.forget_round() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  NEW.round := 0;
  RETURN NEW;
END
$$;
CREATE TRIGGER inbox_reopened BEFORE UPDATE OF dead_at ON events.inbox FOR EACH ROW
  WHEN (OLD.dead_at IS NOT NULL AND NEW.dead_at IS NULL) EXECUTE FUNCTION events.forget_round();

-- As before, and:
--   nothing while something of its aggregate is under way to the consumer by the topic. That follows it: the topic brought the first
--   while the consumer was held, and the second when the first was back in the outbox, where nothing at the consumer sees it. So the
--   second was handled before the first. Now it comes behind one that still waits, and is put by. For a day: what a topic has not
--   brought by then, it may have lost;
--   with how often each was put by.
CREATE OR REPLACE FUNCTION events.release_held(row_limit integer, open_max integer) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  names text[];
  ids uuid[];
  keys uuid[];
  free uuid[];
  moved integer;
BEGIN
  IF NOT EXISTS (SELECT FROM events.held) OR NOT pg_try_advisory_xact_lock(hashtextextended('events.release_held', 0)) THEN RETURN 0; END IF;
  -- What is new goes first: nothing is added to a backlog.
  IF (SELECT count(*) FROM (SELECT FROM events.outbox_aggregate a WHERE a.destination = 'event' LIMIT open_max) o) >= open_max THEN RETURN 0; END IF;

  WITH RECURSIVE waiting AS (
    (SELECT h.consumer FROM events.held h ORDER BY h.consumer LIMIT 1)
    UNION ALL
    SELECT (SELECT h.consumer FROM events.held h WHERE h.consumer > w.consumer ORDER BY h.consumer LIMIT 1) FROM waiting w WHERE w.consumer IS NOT NULL
  ), ready AS MATERIALIZED (
    SELECT w.consumer FROM waiting w
     WHERE NOT EXISTS (SELECT FROM events.consumer_hold c WHERE c.consumer = w.consumer)
       -- As long as a declaration holds: DECLARATION_MINUTES.
       AND EXISTS (SELECT FROM events.consumer_declaration d WHERE d.consumer = w.consumer AND d.seen_at > now() - interval '10 minutes')
  ), first AS (
    SELECT h.consumer, h.event_id, h.key FROM ready w CROSS JOIN LATERAL (
      SELECT n.consumer, n.event_id, n.position, n.key, row_number() OVER (ORDER BY n.position, n.occurred_at, n.event_id) AS place
        FROM (
          SELECT o.consumer, o.event_id, o.position, o.occurred_at, o.key
            FROM (
              SELECT f.consumer, f.event_id, f.position, f.occurred_at, events.aggregate_key(f.destination, f.tenant_id, f.aggregate_type, f.aggregate_id) AS key
                FROM events.held f WHERE f.consumer = w.consumer
               ORDER BY f.position, f.occurred_at, f.event_id LIMIT row_limit * 100) o
           WHERE (SELECT 1 FROM events.detour d WHERE d.aggregate_key = o.key AND d.consumer = o.consumer AND d.begun_at > now() - interval '1 day' LIMIT 1) IS NULL
           -- Looked through no further, however much a relay has at hand.
           ORDER BY o.position, o.occurred_at, o.event_id LIMIT row_limit * 10) n
       WHERE (SELECT a.leased_until FROM events.outbox_aggregate a WHERE a.key = n.key) > now() IS NOT TRUE
       ORDER BY n.position, n.occurred_at, n.event_id LIMIT row_limit) h
     ORDER BY h.place, h.position LIMIT row_limit
  )
  SELECT array_agg(f.consumer), array_agg(f.event_id), array_agg(f.key) INTO names, ids, keys FROM first f;
  IF ids IS NULL THEN RETURN 0; END IF;

  PERFORM set_config('lock_timeout', '100ms', true);
  INSERT INTO events.outbox_aggregate (key, tenant_id, destination, due_at)
  SELECT DISTINCT ON (n.key) n.key, h.tenant_id, h.destination, now()
    FROM unnest(names, ids, keys) AS n(consumer, event_id, key) JOIN events.held h ON h.consumer = n.consumer AND h.event_id = n.event_id
   ORDER BY n.key ON CONFLICT DO NOTHING;
  SELECT array_agg(l.key) INTO free FROM (
    SELECT a.key FROM events.outbox_aggregate a WHERE a.key = ANY (keys) AND (a.leased_until IS NULL OR a.leased_until <= now())
       FOR NO KEY UPDATE SKIP LOCKED) l;
  IF free IS NULL THEN RETURN 0; END IF;

  WITH released AS (
    DELETE FROM events.held h USING unnest(names, ids, keys) AS n(consumer, event_id, key)
     WHERE h.consumer = n.consumer AND h.event_id = n.event_id AND n.key = ANY (free)
       -- Asked once more: what a relay had at hand until just now is under way since.
       AND (SELECT 1 FROM events.detour d WHERE d.aggregate_key = n.key AND d.consumer = n.consumer AND d.begun_at > now() - interval '1 day' LIMIT 1) IS NULL
    RETURNING h.*
  ), patient AS (
    -- Waiting here is no waiting for a version that knows it.
    UPDATE events.inbox i SET received_at = now() FROM released r
     WHERE i.consumer = r.consumer AND i.event_id = r.event_id AND i.processed_at IS NULL
  )
  INSERT INTO events.outbox (id, position, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at)
  OVERRIDING SYSTEM VALUE
  SELECT gen_random_uuid(), r.position, r.tenant_id, r.destination, r.aggregate_type, r.aggregate_id, r.type, r.version, r.payload,
         r.headers || jsonb_build_object('redrive-of', r.event_id, 'redrive-consumer', r.consumer, 'held-position', r.position::text,
                                         'held-round', coalesce((SELECT i.round FROM events.inbox i WHERE i.consumer = r.consumer AND i.event_id = r.event_id), 0)::text),
         r.occurred_at
    FROM released r ORDER BY r.position, r.occurred_at, r.event_id;
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN moved;
EXCEPTION WHEN lock_not_available THEN
  RETURN 0;
END
$$;

-- As before; of a copy that is given up, its consumer's detour is over: it carries the event's id, not the row's. Others keep theirs.
CREATE OR REPLACE FUNCTION events.outbox_settle(lease uuid, keys uuid[], published uuid[], released uuid[],
                                     failed uuid[], retry_in_ms integer[], refused boolean[], errors text[],
                                     dead uuid[], letters uuid[], dead_errors text[])
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  own uuid[];
BEGIN
  UPDATE events.outbox SET published_at = now(), last_error = NULL, attempts = attempts + 1 WHERE id = ANY (published) AND published_at IS NULL;
  SELECT coalesce(array_agg(held.key), '{}') INTO own FROM (
    SELECT a.key FROM events.outbox_aggregate a WHERE a.key = ANY (keys) AND a.lease_id = lease FOR NO KEY UPDATE) held;
  IF cardinality(failed) > 0 THEN
    UPDATE events.outbox o SET attempts = o.attempts + 1, next_attempt_at = now() + f.retry_in_ms * interval '1 millisecond', last_error = f.error, refusals = o.refusals + f.refused::int
      FROM unnest(failed, retry_in_ms, refused, errors) AS f(id, retry_in_ms, refused, error)
     WHERE o.id = f.id AND o.published_at IS NULL AND o.aggregate_key = ANY (own);
  END IF;
  -- Given up: a dead letter of the relay, which can be sent again like any other, and its aggregate goes on without it.
  IF cardinality(dead) > 0 THEN
    WITH buried AS (
      UPDATE events.outbox o SET published_at = now(), dead_at = now(), attempts = o.attempts + 1, last_error = d.error
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
    DELETE FROM events.detour d USING events.outbox o
     WHERE o.id = ANY (dead) AND o.dead_at IS NOT NULL AND d.event_id = coalesce((o.headers ->> 'redrive-of')::uuid, o.id)
       AND (o.headers ->> 'redrive-consumer' IS NULL OR d.consumer = o.headers ->> 'redrive-consumer');
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
