-- Notifications to people (services/notifications/README.md): what was sent, whom it reached by which channel, and what
-- people prefer. All that tells of a notification is kept for ninety days.
CREATE SCHEMA notifications;

-- What was sent, once for all who get it.
CREATE TABLE notifications.notification (
  tenant_id  uuid           NOT NULL,
  id         uuid           NOT NULL,
  category   text           NOT NULL,
  content    jsonb          NOT NULL,
  -- Who sent it ("user:ID").
  sender     text           NOT NULL,
  dedupe_key text,
  recipients integer        NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX notification_dedupe ON notifications.notification (tenant_id, sender, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX notification_age ON notifications.notification (created_at);

-- One for each who gets it: the entry in their inbox.
CREATE TABLE notifications.recipient (
  tenant_id       uuid           NOT NULL,
  user_id         uuid           NOT NULL,
  notification_id uuid           NOT NULL,
  -- pending: not decided yet. held: quiet hours hold something of it. decided: nothing more comes.
  state           text           NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'held', 'decided')),
  is_shown        boolean        NOT NULL DEFAULT false,
  created_at      timestamptz(3) NOT NULL DEFAULT now(),
  read_at         timestamptz(3),
  archived_at     timestamptz(3),
  PRIMARY KEY (tenant_id, user_id, notification_id)
);
CREATE INDEX recipient_undecided ON notifications.recipient (tenant_id, notification_id, user_id) WHERE state <> 'decided';
CREATE INDEX recipient_inbox ON notifications.recipient (tenant_id, user_id, created_at, notification_id) WHERE is_shown;
CREATE INDEX recipient_unread ON notifications.recipient (tenant_id, user_id) WHERE is_shown AND read_at IS NULL AND archived_at IS NULL;
CREATE INDEX recipient_age ON notifications.recipient (created_at);

-- One for each way by which it goes to somebody, or why it does not.
CREATE TABLE notifications.delivery (
  tenant_id       uuid           NOT NULL,
  id              uuid           NOT NULL,
  notification_id uuid           NOT NULL,
  user_id         uuid           NOT NULL,
  channel         text           NOT NULL CHECK (channel IN ('in_app', 'email', 'push', 'sms')),
  -- An e-mail address, a telephone number, the id of a subscription; nothing where there is only one.
  destination     text           NOT NULL DEFAULT '',
  state           text           NOT NULL CHECK (state IN ('held', 'queued', 'sent', 'delivered', 'opened', 'failed', 'withheld')),
  reason          text,
  held_until      timestamptz(3),
  created_at      timestamptz(3) NOT NULL DEFAULT now(),
  updated_at      timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, notification_id, user_id, channel, destination)
);
CREATE INDEX delivery_receipts ON notifications.delivery (tenant_id, notification_id, created_at, id);
CREATE INDEX delivery_person ON notifications.delivery (tenant_id, user_id, id);
CREATE INDEX delivery_age ON notifications.delivery (created_at);

-- How many of a category were delivered to somebody on a day of theirs.
CREATE TABLE notifications.daily_count (
  tenant_id uuid    NOT NULL,
  user_id   uuid    NOT NULL,
  category  text    NOT NULL,
  day       date    NOT NULL,
  count     integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, user_id, category, day)
);
CREATE INDEX daily_count_age ON notifications.daily_count (day);

CREATE TABLE notifications.preference (
  tenant_id  uuid           NOT NULL,
  user_id    uuid           NOT NULL,
  settings   jsonb          NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE notifications.policy (
  tenant_id  uuid           PRIMARY KEY,
  settings   jsonb          NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT now()
);

-- In the order of its columns behind the tenant an export reads it.
CREATE INDEX policy_changed ON notifications.policy (tenant_id, updated_at);

SELECT db.protect_tenant_table('notifications.notification');
SELECT db.protect_tenant_table('notifications.recipient');
SELECT db.protect_tenant_table('notifications.delivery');
SELECT db.protect_tenant_table('notifications.daily_count');
SELECT db.protect_tenant_table('notifications.preference');
SELECT db.protect_tenant_table('notifications.policy');

-- Where a mail says how its reader ends mails of its kind (RFC 8058): the development mailbox shows it too.
ALTER TABLE mail.message ADD COLUMN unsubscribe_url text;
