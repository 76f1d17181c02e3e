-- What each tenant may have under way of a job that declares a rate or a number of runs for each tenant, over all processes and by
-- the database's clock, whatever keeps the jobs. Whoever has taken a job asks before it runs; one that may not begin goes back to its
-- queue with a delay: until the time it is promised, or until another run's end calls it.
CREATE TABLE queues.tenant_gate (
  tenant_id uuid        NOT NULL,
  queue     text        NOT NULL,
  -- When the last run began, and the first time that nobody is promised.
  last_at   timestamptz NOT NULL DEFAULT '-infinity',
  next_at   timestamptz NOT NULL DEFAULT '-infinity',
  -- Jobs that wait for another's end.
  waiting   integer     NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, queue)
);

CREATE TABLE queues.tenant_run (
  tenant_id uuid        NOT NULL,
  queue     text        NOT NULL,
  job_id    text        NOT NULL,
  -- running   counts until `at`: its process may be dead
  -- due       may begin from `at` on
  -- waiting   for another's end, since `at`; called: one has ended; idle: waits for its next attempt
  state     text        NOT NULL CHECK (state IN ('running', 'due', 'waiting', 'called', 'idle')),
  at        timestamptz NOT NULL,
  -- How often it was taken and could not begin.
  refused   integer     NOT NULL DEFAULT 0,
  PRIMARY KEY (queue, job_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX tenant_run_tenant ON queues.tenant_run (tenant_id, queue, state, at);
CREATE INDEX tenant_run_at ON queues.tenant_run (at);

SELECT db.protect_tenant_table('queues.tenant_gate');
SELECT db.protect_tenant_table('queues.tenant_run');

-- 0 when the run may begin, and then it counts for `hold_ms`; else for how many milliseconds it must wait. Runs begin at least
-- rate_ms / rate_max apart, so never more than rate_max in any rate_ms. One at a time of a tenant and queue.
CREATE FUNCTION queues.admit(tenant uuid, queue_name text, job text, rate_max integer, rate_ms bigint, runs_max integer, hold_ms bigint)
  RETURNS TABLE (wait_ms bigint, refusals integer) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  gate queues.tenant_gate;
  mine queues.tenant_run;
  gap interval := make_interval(secs => rate_ms / 1000.0 / rate_max);
  moment timestamptz;
  due timestamptz;
  runs bigint := 0;
BEGIN
  INSERT INTO queues.tenant_gate (tenant_id, queue) VALUES (tenant, queue_name) ON CONFLICT DO NOTHING;
  SELECT * INTO gate FROM queues.tenant_gate g WHERE g.tenant_id = tenant AND g.queue = queue_name FOR UPDATE;
  moment := clock_timestamp();
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
    IF rate_max IS NOT NULL THEN
      IF mine.state = 'due' THEN
        due := greatest(mine.at, gate.last_at + gap);
      ELSE
        due := greatest(gate.next_at, gate.last_at + gap);
        gate.next_at := greatest(due, moment) + gap;
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
  ON CONFLICT (queue, job_id) DO UPDATE SET state = excluded.state, at = excluded.at, refused = excluded.refused;
  UPDATE queues.tenant_gate g SET last_at = gate.last_at, next_at = gate.next_at, waiting = gate.waiting
   WHERE g.tenant_id = tenant AND g.queue = queue_name;
  RETURN NEXT;
END
$$;

-- A run has ended, or the job of one that waited; `is_over` when the job has. Answers the job that may come in its place: the one
-- that waits the longest.
CREATE FUNCTION queues.leave(tenant uuid, queue_name text, job text, runs_max integer, is_over boolean)
  RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  was text;
  runs bigint;
  called text;
BEGIN
  PERFORM 1 FROM queues.tenant_gate g WHERE g.tenant_id = tenant AND g.queue = queue_name FOR UPDATE;
  SELECT r.state INTO was FROM queues.tenant_run r WHERE r.queue = queue_name AND r.job_id = job;
  IF is_over THEN
    DELETE FROM queues.tenant_run r WHERE r.queue = queue_name AND r.job_id = job;
  ELSE
    UPDATE queues.tenant_run r SET state = 'idle', at = clock_timestamp() WHERE r.queue = queue_name AND r.job_id = job;
  END IF;
  IF was = 'waiting' THEN
    UPDATE queues.tenant_gate g SET waiting = greatest(0, g.waiting - 1) WHERE g.tenant_id = tenant AND g.queue = queue_name;
  END IF;
  IF runs_max IS NULL THEN RETURN NULL; END IF;
  SELECT count(*) INTO runs FROM queues.tenant_run r
   WHERE r.tenant_id = tenant AND r.queue = queue_name AND r.state = 'running' AND r.at > clock_timestamp();
  IF runs >= runs_max THEN RETURN NULL; END IF;
  UPDATE queues.tenant_run r SET state = 'called' WHERE (r.queue, r.job_id) = (
    SELECT w.queue, w.job_id FROM queues.tenant_run w
     WHERE w.tenant_id = tenant AND w.queue = queue_name AND w.state = 'waiting' ORDER BY w.at LIMIT 1)
  RETURNING r.job_id INTO called;
  IF called IS NOT NULL THEN
    UPDATE queues.tenant_gate g SET waiting = greatest(0, g.waiting - 1) WHERE g.tenant_id = tenant AND g.queue = queue_name;
  END IF;
  RETURN called;
END
$$;
