-- Whose address an entry names, as a column of its own: `->>` is not leakproof, so under row security no index on an expression
-- with it is ever used, and erasing one person read every entry of every tenant. Made of what is personal, so it is erased with it.
ALTER TABLE audit.entry ADD COLUMN address text GENERATED ALWAYS AS (personal ->> 'email') STORED;
-- No samples of addresses in the statistics, which other roles can read.
ALTER TABLE audit.entry ALTER COLUMN address SET STATISTICS 0;
DROP INDEX audit.entry_address;
CREATE INDEX entry_address ON audit.entry (address) WHERE address IS NOT NULL;

-- When the organisation was gone for good: once its entries are too, so is the head. Null for the installation's own log.
ALTER TABLE audit.head ADD COLUMN gone_at timestamptz;
CREATE INDEX head_gone ON audit.head (gone_at) WHERE gone_at IS NOT NULL;
UPDATE audit.head h SET gone_at = now()
 WHERE h.tenant_id <> '00000000-0000-8000-8000-000000000001' AND NOT EXISTS (SELECT FROM auth.organisation o WHERE o.id = h.tenant_id);

-- Generated columns have no value yet while a trigger looks; what this one follows from is looked at.
CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at < now() - interval '90 days' THEN RETURN OLD; END IF;
  ELSIF NEW.personal IS NULL AND to_jsonb(NEW) - 'personal' - 'address' = to_jsonb(OLD) - 'personal' - 'address' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'entries of the audit log cannot be changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
