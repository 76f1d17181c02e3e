-- Jobs that wait for others: a flow is the job that comes last, its parent, kept here until all its children have completed, or one has
-- failed for good. The transaction that notes that puts it into the outbox, so it exists once, whatever is killed, wherever jobs are kept.
CREATE TABLE queues.flow (
  -- Also the id of its job and task.
  id          uuid        PRIMARY KEY,
  tenant_id   uuid,
  job         text        NOT NULL,
  payload     jsonb       NOT NULL,
  headers     jsonb       NOT NULL,
  -- Children that have not ended.
  pending     integer     NOT NULL CHECK (pending >= 0),
  created_at  timestamptz NOT NULL DEFAULT now(),
  released_at timestamptz
);
CREATE INDEX flow_tenant ON queues.flow (tenant_id, created_at);
CREATE INDEX flow_released ON queues.flow (released_at) WHERE released_at IS NOT NULL;

CREATE TABLE queues.flow_child (
  -- Of its job and task; what is redriven keeps it in a header.
  id        uuid        PRIMARY KEY,
  tenant_id uuid,
  flow_id   uuid        NOT NULL REFERENCES queues.flow (id) ON DELETE CASCADE,
  -- In the order in which they were named.
  place     integer     NOT NULL,
  job       text        NOT NULL,
  state     text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'completed', 'failed', 'canceled')),
  result    jsonb,
  reason    text
);
CREATE INDEX flow_child_tenant ON queues.flow_child (tenant_id, flow_id, place);
CREATE INDEX flow_child_flow ON queues.flow_child (flow_id);
CREATE INDEX flow_child_waiting ON queues.flow_child (id) WHERE state = 'waiting';

SELECT db.protect_tenant_table('queues.flow');
SELECT db.protect_tenant_table('queues.flow_child');
