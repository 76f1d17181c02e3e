-- The check of a log goes by its head: what the head may not be set to, whatever statement asks for it (audit/README.md).

-- Entries are numbered from 1, at a moment that there is. No CHECK: it would refuse to erase what is personal from a row that was
-- put in before this, which the check of logs finds.
CREATE FUNCTION audit.refuse_entry() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'an entry of the audit log has a number from 1 on and a moment' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER entry_numbered BEFORE INSERT ON audit.entry FOR EACH ROW WHEN (NEW.seq < 1 OR NOT isfinite(NEW.at))
  EXECUTE FUNCTION audit.refuse_entry();

-- A head goes on by one entry; its start goes on past what is older than 90 days, before which no entry is deleted; and it goes with
-- the last entry of an organisation that is gone.
CREATE FUNCTION audit.refuse_head_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.tenant_id = OLD.tenant_id AND NEW.seq = OLD.seq AND NEW.at = OLD.at
     AND NEW.kept_from > OLD.kept_from AND NEW.kept_from <= NEW.seq + 1
     AND NOT EXISTS (SELECT FROM audit.entry e WHERE e.tenant_id = OLD.tenant_id AND e.seq >= OLD.kept_from AND e.seq < NEW.kept_from
                        AND e.at >= now() - interval '90 days') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the head of an audit log only goes on' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- Called for what recording does not do: for that the condition is enough.
CREATE TRIGGER head_goes_on BEFORE UPDATE ON audit.head FOR EACH ROW
  WHEN (NOT (NEW.tenant_id = OLD.tenant_id AND NEW.seq - OLD.seq BETWEEN 0 AND 1 AND NEW.at >= OLD.at
             AND NEW.kept_from = OLD.kept_from AND NEW.kept_after = OLD.kept_after))
  EXECUTE FUNCTION audit.refuse_head_change();
CREATE TRIGGER head_stays BEFORE DELETE ON audit.head FOR EACH ROW WHEN (OLD.gone_at IS NULL OR OLD.kept_from <= OLD.seq)
  EXECUTE FUNCTION audit.refuse_head_change();
