-- A job's rate may change while jobs have promises by the one before. The gate knows by which pace it has promised: asked with another
-- one it spaces what waits anew, in its order, and tells of the jobs that were put back for longer than they must wait now.
ALTER TABLE queues.tenant_gate
  -- Between two runs; null while there is no rate.
  ADD COLUMN pace interval,
  ADD COLUMN paced_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE queues.tenant_run
  -- Whether it was put back for longer than to `at`, and nobody was told.
  ADD COLUMN is_early boolean NOT NULL DEFAULT false;
CREATE INDEX tenant_run_early ON queues.tenant_run (tenant_id, queue, at) WHERE is_early;

-- Spaces those that wait for a time of their own; what two versions of the app say in turn is heeded twice a minute.
CREATE FUNCTION queues.pace_anew(gate queues.tenant_gate, gap interval, moment timestamptz)
  RETURNS queues.tenant_gate LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  step interval := coalesce(gap, interval '0');
  first timestamptz := greatest(moment, gate.last_at + coalesce(gap, interval '0'));
  spaced bigint;
BEGIN
  IF gap IS NOT DISTINCT FROM gate.pace OR gate.paced_at > moment - interval '30 seconds' THEN RETURN gate; END IF;
  UPDATE queues.tenant_run r SET at = first + w.place * step, is_early = first + w.place * step < r.at - interval '1 second'
    FROM (SELECT job_id, row_number() OVER (ORDER BY at, job_id) - 1 AS place FROM queues.tenant_run
           WHERE tenant_id = gate.tenant_id AND queue = gate.queue AND state = 'due') w
   WHERE r.queue = gate.queue AND r.job_id = w.job_id;
  GET DIAGNOSTICS spaced = ROW_COUNT;
  gate.next_at := CASE WHEN spaced = 0 AND gate.last_at = '-infinity' THEN '-infinity' ELSE first + spaced * step END;
  -- The first rate changes nothing that was promised.
  IF gate.pace IS NOT NULL THEN gate.paced_at := moment; END IF;
  gate.pace := gap;
  RETURN gate;
END
$$;

-- As before (migration 46), by the pace of the gate; `early`: jobs that may come sooner than they were put back for, two at a time, so
-- that those who come tell of the others.
DROP FUNCTION queues.admit(uuid, text, text, integer, bigint, integer, bigint);
CREATE FUNCTION queues.admit(tenant uuid, queue_name text, job text, rate_max integer, rate_ms bigint, runs_max integer, hold_ms bigint)
  RETURNS TABLE (wait_ms bigint, refusals integer, early text[]) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  gate queues.tenant_gate;
  mine queues.tenant_run;
  moment timestamptz;
  due timestamptz;
  runs bigint := 0;
BEGIN
  INSERT INTO queues.tenant_gate (tenant_id, queue) VALUES (tenant, queue_name) ON CONFLICT DO NOTHING;
  SELECT * INTO gate FROM queues.tenant_gate g WHERE g.tenant_id = tenant AND g.queue = queue_name FOR UPDATE;
  moment := clock_timestamp();
  gate := queues.pace_anew(gate, make_interval(secs => rate_ms / 1000.0 / rate_max), moment);
  SELECT * INTO mine FROM queues.tenant_run r WHERE r.queue = queue_name AND r.job_id = job;
  IF mine.state = 'waiting' THEN gate.waiting := greatest(0, gate.waiting - 1); END IF;
  IF runs_max IS NOT NULL THEN
    SELECT count(*) INTO runs FROM queues.tenant_run r
     WHERE r.tenant_id = tenant AND r.queue = queue_name AND r.state = 'running' AND r.at > moment AND r.job_id <> job;
  END IF;
  mine.refused := coalesce(mine.refused, 0);
  IF runs >= runs_max THEN
    gate.waiting := gate.waiting + 1;
    -- It keeps its place. An end calls it; by itself it comes back the later the more wait, so that they keep nobody busy.
    mine.at := CASE WHEN mine.state IN ('waiting', 'called') THEN mine.at ELSE moment END;
    mine.state := 'waiting';
    wait_ms := least(3600000, greatest(30000, gate.waiting * 100));
  ELSE
    IF gate.pace IS NOT NULL THEN
      IF mine.state = 'due' THEN
        due := greatest(mine.at, gate.last_at + gate.pace);
      ELSE
        due := greatest(gate.next_at, gate.last_at + gate.pace);
        gate.next_at := greatest(due, moment) + gate.pace;
      END IF;
    END IF;
    IF due > moment THEN
      mine.state := 'due';
      mine.at := due;
      wait_ms := greatest(1, ceil(extract(epoch FROM due - moment) * 1000));
    ELSE
      gate.last_at := moment;
      mine.state := 'running';
      mine.at := moment + hold_ms * interval '1 millisecond';
      wait_ms := 0;
    END IF;
  END IF;
  refusals := mine.refused;
  INSERT INTO queues.tenant_run (tenant_id, queue, job_id, state, at, refused)
  VALUES (tenant, queue_name, job, mine.state, mine.at, mine.refused + CASE WHEN wait_ms > 0 THEN 1 ELSE 0 END)
  ON CONFLICT (queue, job_id) DO UPDATE
    SET state = excluded.state, at = excluded.at, refused = excluded.refused, is_early = false;
  UPDATE queues.tenant_gate g
     SET last_at = gate.last_at, next_at = gate.next_at, waiting = gate.waiting, pace = gate.pace, paced_at = gate.paced_at
   WHERE g.tenant_id = tenant AND g.queue = queue_name;
  WITH told AS (
    UPDATE queues.tenant_run r SET is_early = false WHERE (r.queue, r.job_id) IN (
      SELECT w.queue, w.job_id FROM queues.tenant_run w
       WHERE w.tenant_id = tenant AND w.queue = queue_name AND w.is_early ORDER BY w.at, w.job_id LIMIT 2)
    RETURNING r.job_id)
  SELECT coalesce(array_agg(told.job_id), '{}') INTO early FROM told;
  RETURN NEXT;
END
$$;
