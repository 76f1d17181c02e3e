-- Work of several steps that ends done or undone (sagas/README.md).
--   running       step `position` is next, or under way
--   compensating  what was done is undone, from step `position` down
--   stuck         an undo failed for good, or the definition is another one: a person retries or skips
--   completed     every step is done
--   compensated   every step that had an effect is undone, or was skipped by a person
-- Times are the database's own.
CREATE SCHEMA sagas;

CREATE TABLE sagas.saga (
  id             uuid        PRIMARY KEY,
  tenant_id      uuid        NOT NULL,
  -- "domain:action", and the version of its definition that it began with and ends with.
  name           text        NOT NULL,
  version        integer     NOT NULL CHECK (version > 0),
  -- The steps of that definition when it began: another one under the same version is noticed.
  step_names     text[]      NOT NULL,
  input          jsonb       NOT NULL,
  -- On whose behalf, and what it follows from, as in the headers of messages.
  actor          text        NOT NULL,
  correlation_id text        NOT NULL,
  state          text        NOT NULL CHECK (state IN ('running', 'compensating', 'stuck', 'completed', 'compensated')),
  position       integer     NOT NULL DEFAULT 0 CHECK (position >= -1),
  -- Why it is undone, and why it is stuck, each in one lower_snake word.
  reason         text,
  stuck_reason   text,
  -- What it goes on with when a person says so.
  stuck_state    text        CHECK (stuck_state IN ('running', 'compensating')),
  cancel_at      timestamptz,
  -- Whoever has the turn, and until when unless it is heard of again.
  run_id         uuid,
  leased_until   timestamptz,
  -- When it was to go on: one that did not is driven on by the next look.
  due_at         timestamptz NOT NULL DEFAULT now(),
  created_at     timestamptz NOT NULL DEFAULT now(),
  ended_at       timestamptz,
  CHECK ((state = 'stuck') = (stuck_reason IS NOT NULL)),
  CHECK ((state = 'stuck') = (stuck_state IS NOT NULL)),
  CHECK ((state IN ('completed', 'compensated')) = (ended_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX saga_tenant ON sagas.saga (tenant_id, created_at DESC, id DESC);
CREATE INDEX saga_actor ON sagas.saga (tenant_id, actor, created_at DESC, id DESC);
CREATE INDEX saga_due ON sagas.saga (due_at) WHERE state IN ('running', 'compensating');
CREATE INDEX saga_open ON sagas.saga (created_at) WHERE ended_at IS NULL;
CREATE INDEX saga_ended ON sagas.saga (ended_at) WHERE ended_at IS NOT NULL;

-- A row from the first attempt of a step on.
--   running → completed → undoing → undone | skipped;  running → failed, which had no effect;
--   running → undoing for a call, of which nobody knows whether it had an effect
CREATE TABLE sagas.step (
  tenant_id  uuid        NOT NULL,
  saga_id    uuid        NOT NULL REFERENCES sagas.saga (id) ON DELETE CASCADE,
  position   integer     NOT NULL CHECK (position >= 0),
  name       text        NOT NULL,
  state      text        NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'undoing', 'undone', 'skipped')),
  -- Attempts of what it is at, counted before they run; those that failed. The rest died with their process.
  begun      integer     NOT NULL DEFAULT 0,
  failed     integer     NOT NULL DEFAULT 0,
  result     jsonb,
  -- Why the last attempt failed: internal.
  error      text,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at   timestamptz,
  PRIMARY KEY (saga_id, position)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX step_tenant ON sagas.step (tenant_id, saga_id, position);

SELECT db.protect_tenant_table('sagas.saga');
SELECT db.protect_tenant_table('sagas.step');
