-- The development mailbox: what would have been sent. Empty in production.

CREATE SCHEMA IF NOT EXISTS mail;

CREATE TABLE mail.message (
  -- Of the mail, the same for every attempt to send it.
  id        uuid        PRIMARY KEY,
  recipient text        NOT NULL,
  subject   text        NOT NULL,
  text      text        NOT NULL,
  html      text,
  sent_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX message_sent ON mail.message (sent_at, id);
CREATE INDEX message_recipient ON mail.message (recipient, sent_at, id);

SELECT db.protect_system_table('mail.message');
