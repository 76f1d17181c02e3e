-- Which consumers are held, for whoever notes an event as handled: the inbox asks in that very statement (events/store/inbox.ts), in
-- the tenant's own transaction, which events.consumer_hold is hidden from. So a process that knows nothing of a pause begins no event.
-- Written by the trigger alone; the app reads it: names of consumers, nothing of a tenant.
CREATE TABLE events.held_consumer (
  consumer text NOT NULL,
  cause    text NOT NULL,
  PRIMARY KEY (consumer, cause)
) WITH (fillfactor = 50);

CREATE FUNCTION events.tell_hold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM events.held_consumer h WHERE h.consumer = OLD.consumer AND h.cause = OLD.cause;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO events.held_consumer (consumer, cause) VALUES (NEW.consumer, NEW.cause) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER hold_told AFTER INSERT OR UPDATE OR DELETE ON events.consumer_hold FOR EACH ROW EXECUTE FUNCTION events.tell_hold();

-- Holds that there are already: the owner sees them only while row security is not forced upon it.
ALTER TABLE events.consumer_hold NO FORCE ROW LEVEL SECURITY;
INSERT INTO events.held_consumer (consumer, cause) SELECT h.consumer, h.cause FROM events.consumer_hold h;
ALTER TABLE events.consumer_hold FORCE ROW LEVEL SECURITY;

-- VOLATILE: it sees what was committed while the statement that calls it waited for a lock.
CREATE FUNCTION events.is_held(name text) RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
  RETURN EXISTS (SELECT FROM events.held_consumer h WHERE h.consumer = name);
END
$$;

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'groundwork_app') THEN
    GRANT SELECT ON TABLE events.held_consumer TO groundwork_app;
  END IF;
END
$$;
