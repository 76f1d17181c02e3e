-- Other values of feature flags for single organisations (flags/README.md), set by the platform's staff. Every process keeps all of
-- them and reads each second what changed (flags/memory.ts): so what is taken back stays as a row without a value.

CREATE SCHEMA flags;

CREATE TABLE flags.override (
  tenant_id  uuid        NOT NULL,
  -- Its name in config/flags.ts; one that was removed there stands here until somebody takes it back.
  flag       text        NOT NULL CHECK (length(flag) BETWEEN 1 AND 64),
  -- As a text; null for what was taken back.
  value      text        CHECK (length(value) BETWEEN 1 AND 64),
  -- Why, as the organisation reads it in its log.
  reason     text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  -- `kind:id` of who set or took it back.
  changed_by text        NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now(),
  -- The transaction that wrote it: readers go on from the oldest that was running when they last looked.
  xid        xid8        NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (tenant_id, flag)
);
CREATE INDEX override_changed ON flags.override (xid, tenant_id, flag);

SELECT db.protect_tenant_table('flags.override');
-- Without samples of them, reading what is new does not look like reading everything.
ALTER TABLE flags.override ALTER COLUMN xid SET STATISTICS -1;
