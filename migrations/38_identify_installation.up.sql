-- Which installation this database is of, so that two of them don't share what is outside of the database (db/redis-claim.ts).
-- When it first let somebody in tells it from others that began as a copy of the same empty database; server and database tell
-- it from one that was restored from its dump. Only the system asks.
CREATE FUNCTION db.installation() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT db.is_system() THEN
    RAISE EXCEPTION 'only the system asks which installation this is' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN (SELECT encode(sha256(convert_to(concat_ws(' ', extract(epoch FROM min(k.admitted_at)), c.system_identifier, d.oid), 'UTF8')), 'hex')
            FROM db.master_key k, pg_control_system() c, pg_database d
           WHERE d.datname = current_database() GROUP BY c.system_identifier, d.oid);
END
$$;
