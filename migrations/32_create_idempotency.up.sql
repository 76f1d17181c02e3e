-- What endpoints tagged `idempotent` answered, for whoever sends the same Idempotency-Key again (idempotency/README.md).
--   leased    answered_at and effect_at are null: the request is being served, until leased_until at least.
--   effect    effect_at only: a transaction of the request has committed, so it may not run again; its answer is not known (yet).
--   answered  answered_at: `answer` is given again until the row expires; null where it was too large to keep.
-- Times are the database's own.
CREATE SCHEMA idempotency;

CREATE TABLE idempotency.request (
  -- Null for callers in no organisation.
  tenant_id    uuid,
  -- kind:subject, and who acts in its name.
  principal    text        NOT NULL CHECK (length(principal) BETWEEN 1 AND 200),
  key_hash     bytea       NOT NULL CHECK (octet_length(key_hash) = 32),
  -- Of method, path and everything that the endpoint reads.
  fingerprint  bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
  -- Whoever serves it: what another has taken over is neither marked nor answered.
  lease_id     uuid        NOT NULL,
  leased_until timestamptz NOT NULL,
  effect_at    timestamptz,
  answered_at  timestamptz,
  -- Sealed.
  answer       bytea       CHECK (octet_length(answer) <= 70000),
  -- Of the master key that sealed it.
  key_id       bytea       CHECK (octet_length(key_id) = 4),
  expires_at   timestamptz NOT NULL,
  CHECK (answer IS NULL OR answered_at IS NOT NULL),
  CHECK ((answer IS NULL) = (key_id IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE UNIQUE INDEX request_key ON idempotency.request (tenant_id, principal, key_hash) NULLS NOT DISTINCT;
CREATE INDEX request_expires ON idempotency.request (expires_at);
CREATE INDEX request_leased ON idempotency.request (lease_id) WHERE answered_at IS NULL;

SELECT db.protect_tenant_table('idempotency.request');
