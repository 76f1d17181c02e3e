-- Foundation: the vector type, one schema per service, and the role that row security binds.
--
-- groundwork_app is what a connection that could bypass row security (a superuser, as in the embedded
-- database) becomes for each transaction. Where the app's own role is neither superuser nor BYPASSRLS
-- (under Encore, on most managed Postgres) the role is never used: forced row security binds it anyway.
-- Creating it therefore may fail for want of privilege without harm, and does so quietly.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE SCHEMA IF NOT EXISTS events;
CREATE SCHEMA IF NOT EXISTS queues;
CREATE SCHEMA IF NOT EXISTS auth;
CREATE SCHEMA IF NOT EXISTS vectors;

DO $$
DECLARE
  service_schema text;
BEGIN
  BEGIN
    CREATE ROLE groundwork_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
  EXCEPTION
    -- Roles belong to the cluster: another database, or a test running beside, may have made it.
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE NOTICE 'groundwork_app not created: % may not create roles', current_user;
  END;

  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'groundwork_app') THEN
    RETURN;
  END IF;

  BEGIN
    EXECUTE format('GRANT groundwork_app TO %I', current_user);
  EXCEPTION
    WHEN insufficient_privilege OR unique_violation OR invalid_grant_operation THEN NULL;
  END;

  FOREACH service_schema IN ARRAY ARRAY['events', 'queues', 'auth', 'vectors'] LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO groundwork_app', service_schema);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO groundwork_app', service_schema);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO groundwork_app', service_schema);
  END LOOP;
END
$$;
