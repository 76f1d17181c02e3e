-- Jobs live in BullMQ's own schema (made and migrated by BullMQ itself). Here stands only what BullMQ has no
-- place for: jobs that failed for good, and the virtual clock that shares a queue fairly between tenants.

CREATE TABLE queues.dead_letter (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid,
  queue       text        NOT NULL,
  job_id      text        NOT NULL,
  payload     jsonb       NOT NULL,
  headers     jsonb       NOT NULL DEFAULT '{}',
  reason      text        NOT NULL,
  error       text        NOT NULL,
  trace_id    text,
  attempts    integer     NOT NULL,
  dead_at     timestamptz NOT NULL DEFAULT now(),
  redriven_at timestamptz,
  discarded_at timestamptz,
  -- A job that fails for good twice (after a redrive) has a new job id.
  UNIQUE (queue, job_id)
);
CREATE INDEX dead_letter_tenant ON queues.dead_letter (tenant_id, dead_at, id);
CREATE INDEX dead_letter_dead ON queues.dead_letter (dead_at);
-- What of one queue is open: lists and redrives read from it, in the order of giving up.
CREATE INDEX dead_letter_open ON queues.dead_letter (tenant_id, queue, dead_at, id) WHERE redriven_at IS NULL AND discarded_at IS NULL;

-- Start-time fair queueing: each tenant's last finish tag in a queue, kept while it is ahead of the queue's clock. Jobs
-- without a tenant share one turn under the nil uuid; the clock itself is the row under the greatest one.
CREATE TABLE queues.tenant_turn (
  tenant_id  uuid        NOT NULL,
  queue      text        NOT NULL,
  finish_tag bigint      NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, queue)
);
CREATE INDEX tenant_turn_finish ON queues.tenant_turn (queue, finish_tag);

SELECT db.protect_tenant_table('queues.dead_letter');
SELECT db.protect_tenant_table('queues.tenant_turn');
