-- A delivery goes by when it ended; whose endpoint is gone by when it was made. A message goes when none of its deliveries is left.
CREATE INDEX delivery_ended ON webhooks.delivery (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX delivery_open ON webhooks.delivery (created_at) WHERE ended_at IS NULL;
CREATE INDEX delivery_of_message ON webhooks.delivery (tenant_id, message_id);
DROP INDEX webhooks.delivery_age;
