-- The order in which somebody's inbox grows, for those who follow it (GET /notifications/stream): a number for each entry, given
-- under the lock of its person's head, so that who has seen one has seen all before it.
CREATE TABLE notifications.inbox_head (
  tenant_id uuid   NOT NULL,
  user_id   uuid   NOT NULL,
  -- Of the newest entry.
  seq       bigint NOT NULL DEFAULT 0,
  -- Counts up with each change of the inbox: entries, and what is read or put away.
  version   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, user_id)
);
SELECT db.protect_tenant_table('notifications.inbox_head');

ALTER TABLE notifications.recipient ADD COLUMN seq bigint;
CREATE INDEX recipient_stream ON notifications.recipient (tenant_id, user_id, seq) WHERE seq IS NOT NULL;
