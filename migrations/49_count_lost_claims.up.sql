-- A claim writes aggregates only. Attempts are counted when something became of a row: when it was published, failed or was given
-- up, and when its holder's lease has ended without a word. So handing a row over costs one write of it instead of two.

-- How many of its first rows its holder was given at most.
ALTER TABLE events.outbox_aggregate ADD COLUMN claim_rows integer;

-- As before, but:
--   up to `depth` rows of each aggregate come along even where that makes more than `row_limit`: of a backlog, the cost of
--   an aggregate's lease is shared by so many;
--   attempts are not written. Rows come with the number that this try is. What somebody held who never said what became of
--   it is counted here: one of these rows may have ended its process. What was emitted behind them since may be counted with them.
CREATE FUNCTION events.outbox_claim(target text, row_limit integer, lease uuid, lease_ms integer, tenants uuid[], depth integer)
  RETURNS SETOF events.outbox LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  taken uuid[];
  more uuid[];
  lost uuid[];
  lost_rows integer[];
  more_lost uuid[];
  more_rows integer[];
  idle uuid[];
  ids uuid[];
  share integer := greatest(1, row_limit / (cardinality(tenants) + 1));
BEGIN
  IF cardinality(tenants) > 0 THEN
    WITH due AS (
      SELECT own.key, own.lease_id IS NOT NULL AS is_lost, own.claim_rows FROM unnest(tenants) AS t(id) CROSS JOIN LATERAL (
        SELECT a.key, a.lease_id, a.claim_rows FROM events.outbox_aggregate a
         WHERE a.tenant_id = t.id AND a.destination = target AND a.due_at <= now() AND (a.leased_until IS NULL OR a.leased_until <= now())
         ORDER BY a.due_at LIMIT share FOR NO KEY UPDATE SKIP LOCKED) own
      UNION ALL
      SELECT nobodys.key, nobodys.lease_id IS NOT NULL, nobodys.claim_rows FROM (
        SELECT a.key, a.lease_id, a.claim_rows FROM events.outbox_aggregate a
         WHERE a.tenant_id IS NULL AND a.destination = target AND a.due_at <= now() AND (a.leased_until IS NULL OR a.leased_until <= now())
         ORDER BY a.due_at LIMIT share FOR NO KEY UPDATE SKIP LOCKED) nobodys
      LIMIT row_limit
    ), leased AS (
      UPDATE events.outbox_aggregate a
         SET lease_id = lease, leased_until = now() + lease_ms * interval '1 millisecond',
             claim_rows = greatest(depth, row_limit / (SELECT count(*)::integer FROM due))
        FROM due WHERE a.key = due.key RETURNING a.key, due.is_lost, due.claim_rows
    )
    SELECT array_agg(l.key), array_agg(l.key) FILTER (WHERE l.is_lost), array_agg(l.claim_rows) FILTER (WHERE l.is_lost)
      INTO taken, lost, lost_rows FROM leased l;
  END IF;
  WITH due AS (
    SELECT a.key, a.lease_id IS NOT NULL AS is_lost, a.claim_rows FROM events.outbox_aggregate a
     WHERE a.destination = target AND a.due_at <= now() AND (a.leased_until IS NULL OR a.leased_until <= now())
     ORDER BY a.due_at LIMIT row_limit - coalesce(cardinality(taken), 0) FOR NO KEY UPDATE SKIP LOCKED
  ), leased AS (
    UPDATE events.outbox_aggregate a
       SET lease_id = lease, leased_until = now() + lease_ms * interval '1 millisecond',
           claim_rows = greatest(depth, row_limit / (coalesce(cardinality(taken), 0) + (SELECT count(*)::integer FROM due)))
      FROM due WHERE a.key = due.key RETURNING a.key, due.is_lost, due.claim_rows
  )
  SELECT array_agg(l.key), array_agg(l.key) FILTER (WHERE l.is_lost), array_agg(l.claim_rows) FILTER (WHERE l.is_lost)
    INTO more, more_lost, more_rows FROM leased l;
  taken := CASE WHEN taken IS NULL THEN more WHEN more IS NULL THEN taken ELSE taken || more END;
  IF taken IS NULL THEN RETURN; END IF;

  lost := coalesce(lost, '{}') || coalesce(more_lost, '{}');
  IF cardinality(lost) > 0 THEN
    lost_rows := coalesce(lost_rows, '{}') || coalesce(more_rows, '{}');
    UPDATE events.outbox o SET attempts = o.attempts + 1
      FROM unnest(lost, lost_rows) AS l(key, held) CROSS JOIN LATERAL (
        SELECT f.id FROM events.outbox f
         WHERE f.aggregate_key = l.key AND f.published_at IS NULL AND f.next_attempt_at <= now()
         ORDER BY f.position LIMIT coalesce(l.held, 1)) first
     WHERE o.id = first.id AND o.published_at IS NULL;
  END IF;

  SELECT array_agg(head.id) FILTER (WHERE head.is_due),
         array_agg(t.key) FILTER (WHERE head.id IS NULL OR head.place = 1 AND NOT head.is_due)
    INTO ids, idle
    FROM unnest(taken) AS t(key)
    LEFT JOIN LATERAL (
      SELECT first.id, row_number() OVER up AS place, bool_and(first.next_attempt_at <= now()) OVER up AS is_due
        FROM (SELECT o.id, o.position, o.next_attempt_at FROM events.outbox o
               WHERE o.aggregate_key = t.key AND o.published_at IS NULL
               ORDER BY o.position LIMIT greatest(depth, row_limit / cardinality(taken))) first
      WINDOW up AS (ORDER BY first.position)
    ) head ON true;
  IF idle IS NOT NULL THEN PERFORM events.outbox_rest(idle); END IF;
  RETURN QUERY SELECT o.id, o.position, o.tenant_id, o.destination, o.aggregate_type, o.aggregate_id, o.aggregate_key, o.type, o.version, o.payload,
                      o.headers, o.occurred_at, o.created_at, o.published_at, o.dead_at, o.attempts + 1, o.refusals, o.next_attempt_at, o.last_error, o.status
                 FROM events.outbox o WHERE o.id = ANY (ids) AND o.published_at IS NULL;
END
$$;

-- For processes of a version from before.
CREATE OR REPLACE FUNCTION events.outbox_claim(target text, row_limit integer, lease uuid, lease_ms integer, tenants uuid[])
  RETURNS SETOF events.outbox LANGUAGE sql SET search_path = pg_catalog AS $$
  SELECT * FROM events.outbox_claim(target, row_limit, lease, lease_ms, tenants, 1)
$$;

-- As before, and counts the attempt of what was published, failed or is given up; released is what nobody tried.
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
