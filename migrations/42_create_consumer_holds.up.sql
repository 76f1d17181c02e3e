-- Consumers that are held: an operator paused one (until somebody resumes it), or a replay is being made ready for it.
-- What is for one meanwhile waits in events.held, in the order of `position`, whichever way it came (events/holds.ts).
CREATE TABLE events.consumer_hold (
  consumer   text        NOT NULL,
  cause      text        NOT NULL CHECK (cause IN ('pause', 'replay')),
  reason     text        NOT NULL,
  actor      text        NOT NULL,
  held_since timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, cause)
) WITH (fillfactor = 50);

-- Whole messages: a consumer may be paused for longer than the outbox keeps its rows.
CREATE TABLE events.held (
  consumer       text        NOT NULL,
  event_id       uuid        NOT NULL,
  tenant_id      uuid,
  -- Of its row in the outbox; 0 when that row is gone, because then it is older than all that are there.
  position       bigint      NOT NULL,
  destination    text        NOT NULL,
  aggregate_type text        NOT NULL,
  aggregate_id   text        NOT NULL,
  type           text        NOT NULL,
  version        integer     NOT NULL,
  payload        jsonb       NOT NULL,
  headers        jsonb       NOT NULL,
  occurred_at    timestamptz NOT NULL,
  held_at        timestamptz NOT NULL DEFAULT now(),
  -- The replay that it belongs to.
  replay_id      uuid,
  PRIMARY KEY (consumer, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX held_order ON events.held (consumer, position);
CREATE INDEX held_aggregate ON events.held (consumer, aggregate_id, position);
CREATE INDEX held_tenant ON events.held (tenant_id, held_at);
CREATE INDEX held_replay ON events.held (replay_id) WHERE replay_id IS NOT NULL;

-- What happened in a span of time, once more to one consumer (events/replay.ts).
--   loading     its consumer is held; rows of the outbox are copied, in the order in which they were published
--   delivering  the hold of the replay is over: what was copied is handed over, before all that came meanwhile
--   finished    nothing of it waits any more
CREATE TABLE events.replay (
  id           uuid        PRIMARY KEY,
  consumer     text        NOT NULL,
  -- One version of the app that runs handles these.
  handled      text[]      NOT NULL,
  type         text,
  from_at      timestamptz NOT NULL,
  until_at     timestamptz NOT NULL,
  reason       text        NOT NULL,
  actor        text        NOT NULL,
  started_at   timestamptz NOT NULL DEFAULT now(),
  -- Of the last row that was looked at.
  cursor_at    timestamptz NOT NULL,
  cursor_id    uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  loaded       bigint      NOT NULL DEFAULT 0,
  loaded_at    timestamptz,
  finished_at  timestamptz,
  CONSTRAINT replay_span CHECK (from_at < until_at)
);
-- Two at once for one consumer would be in each other's way.
CREATE UNIQUE INDEX replay_open ON events.replay (consumer) WHERE finished_at IS NULL;
CREATE INDEX replay_finished ON events.replay (finished_at) WHERE finished_at IS NOT NULL;

SELECT db.protect_system_table('events.consumer_hold');
SELECT db.protect_tenant_table('events.held');
SELECT db.protect_system_table('events.replay');

-- The key of an aggregate's rows in the outbox: see outbox_enter().
CREATE FUNCTION events.aggregate_key(destination text, tenant uuid, about_type text, about_id text) RETURNS uuid LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT encode(substr(sha256(convert_to(jsonb_build_array(destination, tenant, about_type, about_id)::text, 'UTF8')), 1, 16), 'hex')::uuid
$$;

-- Moves what no hold keeps any more back into the outbox, each addressed to its consumer and at its first position: so a
-- relay hands it over before what came later. An aggregate that a relay has at hand just now keeps what it has until
-- later, because that relay has begun with something that follows. One process at a time; a writer whose transaction is
-- open for long is not waited for. Returns how many were moved.
CREATE FUNCTION events.release_held(row_limit integer, open_max integer) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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
  ), first AS (
    SELECT h.consumer, h.event_id, h.key FROM waiting w CROSS JOIN LATERAL (
      SELECT o.consumer, o.event_id, o.position, events.aggregate_key(o.destination, o.tenant_id, o.aggregate_type, o.aggregate_id) AS key
        FROM events.held o WHERE o.consumer = w.consumer ORDER BY o.position, o.occurred_at, o.event_id LIMIT row_limit) h
     WHERE NOT EXISTS (SELECT FROM events.consumer_hold c WHERE c.consumer = w.consumer)
     ORDER BY h.position LIMIT row_limit
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

-- Copies the next rows of a replay that is being loaded, and takes its consumer's notes of them away with the same commit: so a
-- kill neither loses nor repeats one. Reads the outbox in the order of publishing, of which there is an index. When there are no more
-- the replay's hold ends, also with the same commit. Two that call it at once take turns.
CREATE FUNCTION events.replay_load(replay uuid, row_limit integer) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  r events.replay;
  ids uuid[];
  last_at timestamptz;
  last_id uuid;
  seen integer;
  added integer;
BEGIN
  SELECT * INTO r FROM events.replay p WHERE p.id = replay AND p.loaded_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN true; END IF;
  WITH looked AS (
    SELECT o.id, o.published_at, o.type, o.version, o.destination, o.headers, o.occurred_at, o.dead_at FROM events.outbox o
     WHERE o.published_at IS NOT NULL AND o.published_at <= r.started_at AND (o.published_at, o.id) > (r.cursor_at, r.cursor_id)
     ORDER BY o.published_at, o.id LIMIT row_limit
  )
  SELECT array_agg(l.id) FILTER (WHERE l.destination = 'event' AND l.dead_at IS NULL AND NOT l.headers ? 'redrive-of'
                                   AND l.occurred_at >= r.from_at AND l.occurred_at < r.until_at
                                   AND (r.type IS NULL OR l.type = r.type) AND l.type || '@' || l.version = ANY (r.handled)),
         count(*), (array_agg(l.published_at ORDER BY l.published_at DESC, l.id DESC))[1], (array_agg(l.id ORDER BY l.published_at DESC, l.id DESC))[1]
    INTO ids, seen, last_at, last_id FROM looked l;
  -- First: whoever puts something by holds the hold, and may wait for a row that is written below.
  IF seen < row_limit THEN
    DELETE FROM events.consumer_hold h WHERE h.consumer = r.consumer AND h.cause = 'replay';
  END IF;
  IF ids IS NOT NULL THEN
    DELETE FROM events.inbox i WHERE i.consumer = r.consumer AND i.event_id = ANY (ids);
    INSERT INTO events.held (consumer, event_id, tenant_id, position, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at, replay_id)
    SELECT r.consumer, o.id, o.tenant_id, o.position, o.destination, o.aggregate_type, o.aggregate_id, o.type, o.version, o.payload, o.headers, o.occurred_at, r.id
      FROM events.outbox o WHERE o.id = ANY (ids) ORDER BY o.id ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
  END IF;
  UPDATE events.replay p
     SET cursor_at = coalesce(last_at, p.cursor_at), cursor_id = coalesce(last_id, p.cursor_id), loaded = p.loaded + coalesce(added, 0),
         loaded_at = CASE WHEN seen < row_limit THEN now() END
   WHERE p.id = replay;
  RETURN seen < row_limit;
END
$$;
