-- How long the runs of a tenant that has a backlog take, so that turns are weighed by the time that they use: a moving average,
-- told once a second by those who run them.
ALTER TABLE queues.tenant_turn ADD COLUMN run_ms real;
