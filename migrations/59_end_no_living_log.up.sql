-- A log ends with its organisation and not before: the head of one that is there takes no moment at which it was gone, and stays.
-- Without this the app's own login could say that an organisation is gone, and remove a log of which all is older than 90 days.
-- It reads auth.organisation with its caller's rights: who may change a tenant's head sees that tenant's organisation. A statement may
-- have set another token in the meantime (set_config, for a value that it stores), and then sees neither: that is refused.
CREATE FUNCTION audit.refuse_early_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_tenant uuid;
BEGIN
  IF TG_OP = 'INSERT' THEN of_tenant := NEW.tenant_id; ELSE of_tenant := OLD.tenant_id; END IF;
  -- The installation's own log never ends.
  IF of_tenant = '00000000-0000-8000-8000-000000000001'
     OR (db.is_system() OR db.current_tenant() = of_tenant) IS NOT TRUE
     OR EXISTS (SELECT FROM auth.organisation o WHERE o.id = of_tenant) THEN
    RAISE EXCEPTION 'the audit log of an organisation that is there does not end' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER head_begins_living BEFORE INSERT ON audit.head FOR EACH ROW WHEN (NEW.gone_at IS NOT NULL)
  EXECUTE FUNCTION audit.refuse_early_end();
-- Recording and retention name no gone_at: they do not call it.
CREATE TRIGGER head_ends_late BEFORE UPDATE OF gone_at ON audit.head FOR EACH ROW
  WHEN (NEW.gone_at IS DISTINCT FROM OLD.gone_at) EXECUTE FUNCTION audit.refuse_early_end();
CREATE TRIGGER head_outlives BEFORE DELETE ON audit.head FOR EACH ROW EXECUTE FUNCTION audit.refuse_early_end();

-- As in migration 45, and the same of the token: without it the young entries that the start is set behind could not be seen.
CREATE OR REPLACE FUNCTION audit.refuse_head_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.tenant_id = OLD.tenant_id AND NEW.seq = OLD.seq AND NEW.at = OLD.at
     AND NEW.kept_from > OLD.kept_from AND NEW.kept_from <= NEW.seq + 1
     AND (db.is_system() OR db.current_tenant() = OLD.tenant_id) IS TRUE
     AND NOT EXISTS (SELECT FROM audit.entry e WHERE e.tenant_id = OLD.tenant_id AND e.seq >= OLD.kept_from AND e.seq < NEW.kept_from
                        AND e.at >= now() - interval '90 days') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the head of an audit log only goes on' USING ERRCODE = 'insufficient_privilege';
END
$$;
