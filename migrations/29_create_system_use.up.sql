-- How often the app acted outside of any tenant, for each reason and hour (security/system-reasons.ts, db/system-use.ts):
-- a row for each, however often. Counts only grow, and none goes before 90 days.
CREATE TABLE db.system_use (
  hour    timestamptz NOT NULL CHECK (hour = date_trunc('hour', hour)),
  reason  text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 100),
  uses    bigint      NOT NULL CHECK (uses > 0),
  last_at timestamptz NOT NULL,
  PRIMARY KEY (hour, reason)
)
-- Every process counts up the rows of the present hour every few seconds: room for the next version beside the last.
WITH (fillfactor = 50);

SELECT db.protect_system_table('db.system_use');

CREATE FUNCTION db.refuse_uncounting() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.hour < now() - interval '90 days' THEN RETURN OLD; END IF;
  ELSIF NEW.hour = OLD.hour AND NEW.reason = OLD.reason AND NEW.uses >= OLD.uses AND NEW.last_at >= OLD.last_at THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'counts of system use only grow' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER system_use_grows BEFORE UPDATE OR DELETE ON db.system_use FOR EACH ROW EXECUTE FUNCTION db.refuse_uncounting();
