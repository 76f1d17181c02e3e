-- Mends of what moves events on that wait for their consumers (migration 42, events/hold-release.ts).

-- As before, and:
--   only to consumers that a version declares which runs: a relay would publish to nobody, and the row would count as published;
--   rows of aggregates that a relay has at hand are passed over where they are looked for, so that those of one busy aggregate do
--   not stand before all others; of each consumer the first, then of each the second, so that none waits for another's backlog.
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
          SELECT o.consumer, o.event_id, o.position, o.occurred_at, events.aggregate_key(o.destination, o.tenant_id, o.aggregate_type, o.aggregate_id) AS key
            FROM events.held o WHERE o.consumer = w.consumer
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
     WHERE h.consumer = n.consumer AND h.event_id = n.event_id AND n.key = ANY (free) RETURNING h.*
  ), patient AS (
    -- Waiting here is no waiting for a version that knows it.
    UPDATE events.inbox i SET received_at = now() FROM released r
     WHERE i.consumer = r.consumer AND i.event_id = r.event_id AND i.processed_at IS NULL
  )
  INSERT INTO events.outbox (id, position, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at)
  OVERRIDING SYSTEM VALUE
  SELECT gen_random_uuid(), r.position, r.tenant_id, r.destination, r.aggregate_type, r.aggregate_id, r.type, r.version, r.payload,
         r.headers || jsonb_build_object('redrive-of', r.event_id, 'redrive-consumer', r.consumer, 'held-position', r.position::text), r.occurred_at
    FROM released r ORDER BY r.position, r.occurred_at, r.event_id;
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN moved;
EXCEPTION WHEN lock_not_available THEN
  RETURN 0;
END
$$;

-- What a replay took away of its consumer's notes with the copy: it is put back when the replay is ended.
ALTER TABLE events.held ADD COLUMN noted text CHECK (noted IN ('handled', 'dead'));

-- As before, and also what the consumer has handled and no relay has noted as published yet: handed to it directly, and then its
-- relay was killed, or other consumers' way failed. Otherwise older events of its aggregate would come again, and it would not: what
-- keeps the last it was told would keep the older. So it
--   begins when whatever relays had at hand when the replay began is settled, one lease later; meanwhile the consumer is held;
--   takes with its first step those rows of its span which wait to be published and which the consumer has handled;
--   then reads all that are published, with no bound but the span: what came meanwhile was put by, and stays as it is.
-- A row that is published between the two steps was seen by the first or is seen by the second.
CREATE OR REPLACE FUNCTION events.replay_load(replay uuid, row_limit integer) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  r events.replay;
  ids uuid[];
  pending uuid[];
  last_at timestamptz;
  last_id uuid;
  seen integer;
  added integer;
BEGIN
  SELECT * INTO r FROM events.replay p WHERE p.id = replay AND p.loaded_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN true; END IF;
  -- LEASE_MS of events/relay.ts.
  IF r.started_at > now() - interval '30 seconds' THEN RETURN false; END IF;
  IF r.cursor_at = r.from_at AND r.cursor_id = '00000000-0000-0000-0000-000000000000' THEN
    SELECT array_agg(o.id) INTO pending FROM events.outbox o
     WHERE o.published_at IS NULL AND o.destination = 'event' AND NOT o.headers ? 'redrive-of'
       AND o.occurred_at >= r.from_at AND o.occurred_at < r.until_at
       AND (r.type IS NULL OR o.type = r.type) AND o.type || '@' || o.version = ANY (r.handled)
       AND (SELECT i.processed_at FROM events.inbox i WHERE i.consumer = r.consumer AND i.event_id = o.id LIMIT 1) IS NOT NULL;
  END IF;
  WITH looked AS (
    SELECT o.id, o.published_at, o.type, o.version, o.destination, o.headers, o.occurred_at, o.dead_at FROM events.outbox o
     WHERE o.published_at IS NOT NULL AND (o.published_at, o.id) > (r.cursor_at, r.cursor_id)
     ORDER BY o.published_at, o.id LIMIT row_limit
  )
  SELECT array_agg(l.id) FILTER (WHERE l.destination = 'event' AND l.dead_at IS NULL AND NOT l.headers ? 'redrive-of'
                                   AND l.occurred_at >= r.from_at AND l.occurred_at < r.until_at
                                   AND (r.type IS NULL OR l.type = r.type) AND l.type || '@' || l.version = ANY (r.handled)),
         count(*), (array_agg(l.published_at ORDER BY l.published_at DESC, l.id DESC))[1], (array_agg(l.id ORDER BY l.published_at DESC, l.id DESC))[1]
    INTO ids, seen, last_at, last_id FROM looked l;
  ids := CASE WHEN pending IS NULL THEN ids ELSE pending || ids END;
  -- First: whoever puts something by holds the hold, and may wait for a row that is written below.
  IF seen < row_limit THEN
    DELETE FROM events.consumer_hold h WHERE h.consumer = r.consumer AND h.cause = 'replay';
  END IF;
  IF ids IS NOT NULL THEN
    WITH gone AS (
      DELETE FROM events.inbox i WHERE i.consumer = r.consumer AND i.event_id = ANY (ids) RETURNING i.event_id, i.processed_at, i.dead_at
    )
    INSERT INTO events.held (consumer, event_id, tenant_id, position, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at, replay_id, noted)
    SELECT r.consumer, o.id, o.tenant_id, o.position, o.destination, o.aggregate_type, o.aggregate_id, o.type, o.version, o.payload, o.headers, o.occurred_at, r.id,
           CASE WHEN g.processed_at IS NOT NULL THEN 'handled' WHEN g.dead_at IS NOT NULL THEN 'dead' END
      FROM events.outbox o LEFT JOIN gone g ON g.event_id = o.id WHERE o.id = ANY (ids) ORDER BY o.id ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
  END IF;
  UPDATE events.replay p
     SET cursor_at = coalesce(last_at, p.cursor_at), cursor_id = coalesce(last_id, p.cursor_id), loaded = p.loaded + coalesce(added, 0),
         loaded_at = CASE WHEN seen < row_limit THEN now() END
   WHERE p.id = replay;
  RETURN seen < row_limit;
END
$$;
