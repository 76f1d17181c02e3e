-- What became of jobs: a row from the transaction that enqueues one until its retention is over, and the lines it logged.
-- Times are the database's own.
CREATE TABLE queues.task (
  id           uuid        PRIMARY KEY,
  tenant_id    uuid,
  job          text        NOT NULL,
  -- On whose behalf, as in the headers of its message: "user:ID".
  actor        text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('waiting', 'running', 'completed', 'failed', 'canceled')),
  -- Counts up with each change: what followers compare.
  version      integer     NOT NULL DEFAULT 1,
  attempts     integer     NOT NULL DEFAULT 0,
  progress     real        CHECK (progress BETWEEN 0 AND 1),
  -- 16 KiB of JSON text; as jsonb small numbers take six times as much.
  result       jsonb       CHECK (pg_column_size(result) <= 262144),
  -- Why it failed, in one lower_snake word.
  reason       text,
  cancel_at    timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  started_at   timestamptz,
  -- Of one that is open: when it was last heard of.
  seen_at      timestamptz,
  ended_at     timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX task_tenant ON queues.task (tenant_id, created_at DESC, id DESC);
CREATE INDEX task_actor ON queues.task (tenant_id, actor, created_at DESC, id DESC);
CREATE INDEX task_ended ON queues.task (ended_at) WHERE ended_at IS NOT NULL;
-- Those that nothing was heard of for long are looked for.
CREATE INDEX task_open ON queues.task (coalesce(seen_at, created_at)) WHERE ended_at IS NULL;

CREATE TABLE queues.task_log (
  tenant_id uuid,
  task_id   uuid        NOT NULL REFERENCES queues.task (id) ON DELETE CASCADE,
  -- By attempt, and within it in order.
  seq       integer     NOT NULL,
  at        timestamptz NOT NULL DEFAULT now(),
  text      text        NOT NULL CHECK (length(text) <= 1000),
  PRIMARY KEY (task_id, seq)
);
CREATE INDEX task_log_tenant ON queues.task_log (tenant_id, task_id, seq);

SELECT db.protect_tenant_table('queues.task');
SELECT db.protect_tenant_table('queues.task_log');

-- A job is a task as soon as its row is in the outbox, in the same statement: enqueuing costs one round trip. What is sent again
-- because the outbox gave it up is the same job, whose task is known.
CREATE FUNCTION queues.task_enter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO queues.task (id, tenant_id, job, actor, state)
  VALUES (NEW.id, NEW.tenant_id, NEW.type, coalesce(NEW.headers ->> 'actor', 'system'), 'waiting')
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END;
$$;
CREATE TRIGGER task_enter AFTER INSERT ON events.outbox FOR EACH ROW
  WHEN (NEW.destination = 'job' AND NOT NEW.headers ? 'redrive-of') EXECUTE FUNCTION queues.task_enter();
