-- The audit log of each organisation: who did what, to what, when. Entries of a tenant are numbered without gaps and
-- chained by keyed hashes, so that a changed, missing or added one shows (audit/README.md).

CREATE SCHEMA IF NOT EXISTS audit;

CREATE TABLE audit.entry (
  tenant_id      uuid        NOT NULL,
  seq            bigint      NOT NULL,
  id             uuid        NOT NULL,
  at             timestamptz NOT NULL,
  action         text        NOT NULL,
  -- "kind:id" of who acted, "system…" for what the app did by itself.
  actor          text        NOT NULL,
  target_type    text,
  target_id      text,
  correlation_id text        NOT NULL,
  fields         jsonb       NOT NULL,
  -- What tells of a person; null once it is erased. The chain covers personal_digest and not this.
  personal       jsonb,
  personal_digest bytea      NOT NULL,
  -- Of this entry and the hash before it.
  hash           bytea       NOT NULL,
  PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX entry_newest ON audit.entry (tenant_id, at, id);
CREATE INDEX entry_action ON audit.entry (tenant_id, action, at, id);
-- What tells of a person is erased in all organisations at once, by whom it is about or by their address.
CREATE INDEX entry_target ON audit.entry (target_id, tenant_id) WHERE personal IS NOT NULL;
CREATE INDEX entry_address ON audit.entry ((personal ->> 'email')) WHERE personal IS NOT NULL;
-- No samples of addresses in the statistics, which other roles can read.
ALTER INDEX audit.entry_address ALTER COLUMN 1 SET STATISTICS 0;
CREATE INDEX entry_invitation ON audit.entry (target_id) WHERE action = 'auth.member.joined';
CREATE INDEX entry_at ON audit.entry (at);

-- Where a tenant's chain ends, and where what is kept of it begins.
CREATE TABLE audit.head (
  tenant_id  uuid        PRIMARY KEY,
  seq        bigint      NOT NULL,
  at         timestamptz NOT NULL,
  hash       bytea       NOT NULL,
  kept_from  bigint      NOT NULL DEFAULT 1,
  -- Hash of the entry before kept_from.
  kept_after bytea       NOT NULL
);

SELECT db.protect_tenant_table('audit.entry');
SELECT db.protect_tenant_table('audit.head');

-- Entries are never changed but for what tells of a person, which can be erased, and never deleted before 90 days.
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at < now() - interval '90 days' THEN RETURN OLD; END IF;
  ELSIF NEW.personal IS NULL AND to_jsonb(NEW) - 'personal' = to_jsonb(OLD) - 'personal' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'entries of the audit log cannot be changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
