-- Browsers that somebody lets us wake (Push API): a year after one was last told of, it is gone.
CREATE TABLE notifications.push_subscription (
  tenant_id     uuid           NOT NULL,
  id            uuid           NOT NULL,
  user_id       uuid           NOT NULL,
  endpoint      text           NOT NULL,
  -- An endpoint may be longer than an index takes.
  endpoint_hash bytea          NOT NULL,
  p256dh        bytea          NOT NULL,
  auth          bytea          NOT NULL,
  vapid_key_id  text           NOT NULL,
  created_at    timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, user_id, endpoint_hash)
);
CREATE INDEX push_subscription_person ON notifications.push_subscription (tenant_id, user_id, created_at, id);
CREATE INDEX push_subscription_age ON notifications.push_subscription (created_at);
SELECT db.protect_tenant_table('notifications.push_subscription');
