-- The attempts at one message, and those that failed among many that did not.
CREATE INDEX attempt_message ON webhooks.attempt (tenant_id, endpoint_id, message_id, created_at DESC, id DESC);
CREATE INDEX attempt_outcome ON webhooks.attempt (tenant_id, endpoint_id, outcome, created_at DESC, id DESC);
