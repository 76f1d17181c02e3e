-- Mails of a category that are gathered into one: open while something is gathered, gone when that is sent.
CREATE TABLE notifications.digest (
  tenant_id   uuid           NOT NULL,
  id          uuid           NOT NULL,
  user_id     uuid           NOT NULL,
  category    text           NOT NULL,
  destination text           NOT NULL,
  due_at      timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, user_id, category, destination),
  UNIQUE (tenant_id, id)
);
CREATE INDEX digest_due ON notifications.digest (due_at);
SELECT db.protect_tenant_table('notifications.digest');

ALTER TABLE notifications.delivery ADD COLUMN digest_id uuid;
CREATE INDEX delivery_digest ON notifications.delivery (tenant_id, digest_id) WHERE digest_id IS NOT NULL;
