-- Foundation: the vector type, one schema per service, the role that row security binds, and the one place that
-- says what protects a table: db.protect_tenant_table and db.protect_system_table. Every migration that makes a
-- table ends with one of the two; db/__tests__/row-security.test.ts fails on a table that has neither.
--
-- groundwork_app is what a connection that could bypass row security (a superuser, as in the embedded
-- database) becomes for each transaction. Where the app's own role is neither superuser nor BYPASSRLS
-- (under Encore, on most managed Postgres) the role is never used: forced row security binds it anyway.
-- Creating it therefore may fail for want of privilege without harm, and does so quietly.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE SCHEMA IF NOT EXISTS db;
CREATE SCHEMA IF NOT EXISTS events;
CREATE SCHEMA IF NOT EXISTS queues;
CREATE SCHEMA IF NOT EXISTS auth;
CREATE SCHEMA IF NOT EXISTS vectors;

DO $$
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
END
$$;

-- What both kinds of tables have in common: row security enabled and forced (so that it binds the owner too), the
-- one policy, and the rights of groundwork_app. Call protect_tenant_table or protect_system_table instead.
CREATE FUNCTION db.protect_table(protected regclass, policy_name name, visible text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  in_schema name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = protected);
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
  EXECUTE format('CREATE POLICY %I ON %s USING (%s) WITH CHECK (%s)', policy_name, protected, visible, visible);
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'groundwork_app') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO groundwork_app', in_schema);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO groundwork_app', protected);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO groundwork_app', in_schema);
  END IF;
END
$$;

-- For a table whose rows belong to tenants, called when its indexes exist: a tenant's transaction sees and writes
-- its own rows, a system transaction all. Refuses a table without an index that starts with the tenant: a
-- statement that says tenant_id = $1 would read the whole of it.
CREATE FUNCTION db.protect_tenant_table(protected regclass, tenant_column name DEFAULT 'tenant_id') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = protected AND a.attname = tenant_column AND i.indisvalid AND i.indpred IS NULL
  ) THEN
    RAISE EXCEPTION 'table % has no index that starts with %', protected, tenant_column
      USING HINT = 'Make one before the call: a primary key or unique constraint counts, a partial index does not.',
            ERRCODE = 'invalid_table_definition';
  END IF;
  PERFORM db.protect_table(protected, 'tenant_isolation', format(
    '%I = nullif(current_setting(''app.tenant_id'', true), '''')::uuid OR current_setting(''app.system'', true) = ''on''',
    tenant_column));
END
$$;

-- For a table that no tenant's transaction may see: only a system transaction does.
CREATE FUNCTION db.protect_system_table(protected regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM db.protect_table(protected, 'system_only', 'current_setting(''app.system'', true) = ''on''');
END
$$;

REVOKE ALL ON FUNCTION db.protect_table(regclass, name, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION db.protect_tenant_table(regclass, name) FROM PUBLIC;
REVOKE ALL ON FUNCTION db.protect_system_table(regclass) FROM PUBLIC;
