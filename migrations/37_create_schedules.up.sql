-- Jobs that run by the clock: the database's, whoever asks. A tick is a row's next_at: whoever takes it moves it on and enqueues the
-- job in one transaction, so there is one run a tick over all processes.
CREATE TABLE queues.schedule (
  job       text        NOT NULL,
  name      text        NOT NULL,
  -- One of both: five fields of cron in a zone, or an interval.
  pattern   text,
  zone      text,
  every_ms  bigint      CHECK (every_ms > 0),
  missed    text        NOT NULL CHECK (missed IN ('once', 'skip')),
  payload   jsonb       NOT NULL,
  next_at   timestamptz NOT NULL,
  PRIMARY KEY (job, name),
  CHECK ((pattern IS NULL) = (zone IS NULL) AND (pattern IS NULL) <> (every_ms IS NULL))
);
CREATE INDEX schedule_due ON queues.schedule (next_at);

SELECT db.protect_system_table('queues.schedule');
