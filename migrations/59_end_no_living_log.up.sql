-- A log ends with its organisation and not before: the head of one that is there takes no moment at which it was gone, and stays.
-- Without this the app's own login could say that an organisation is gone, and remove a log of which all is older than 90 days.
-- It reads auth.organisation with its caller's rights: who may change a tenant's head sees that tenant's organisation.
CREATE FUNCTION audit.refuse_early_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log uuid;
BEGIN
  IF TG_OP = 'INSERT' THEN log := NEW.tenant_id; ELSE log := OLD.tenant_id; END IF;
  -- The installation's own log never ends.
  IF log = '00000000-0000-8000-8000-000000000001' OR EXISTS (SELECT FROM auth.organisation o WHERE o.id = log) THEN
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
