-- Foundation: the vector type, one schema per service, the role that row security binds, and the one place that
-- says what protects a table: db.protect_tenant_table and db.protect_system_table. Every migration that makes a
-- table ends with one of the two; db/__tests__/row-security.test.ts fails on a table that has neither.
--
-- Whose a transaction is, it proves: the setting app.capability holds a token that only the app can derive (HMAC of the
-- tenant's id under the master key), and db.capability holds the token's hash. A statement that an attacker bends may
-- set whatever it likes, it knows no other token (docs/adr/0008-row-security-as-a-capability.md).
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

-- What each token is good for. Row security without a policy: nobody but the owner reads or writes it, through the
-- functions below, also not a login with pg_read_all_data and pg_write_all_data. Hashes only: reading it opens nothing.
-- A tenant has a row for each master key in use; db.dismiss_tenant removes them with the tenant.
CREATE TABLE db.capability (
  hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
  -- Null: the system, which sees every tenant.
  of_tenant  uuid        CHECK (of_tenant > '00000000-0000-0000-0000-000000000000' AND of_tenant < 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
  -- Of the master key that the token was made under, as envelopes name it: with it go the tokens of a key that is retired.
  key_id     bytea       NOT NULL CHECK (octet_length(key_id) = 4),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX capability_tenant ON db.capability (of_tenant);
ALTER TABLE db.capability ENABLE ROW LEVEL SECURITY;

-- The master keys that this database has known. One that was retired never comes back: its tokens are not let in again.
CREATE TABLE db.master_key (
  id          bytea       PRIMARY KEY CHECK (octet_length(id) = 4),
  admitted_at timestamptz NOT NULL DEFAULT now(),
  retired_at  timestamptz
);
ALTER TABLE db.master_key ENABLE ROW LEVEL SECURITY;

-- Whose the present token is; null for the system's, and for what is no token.
CREATE FUNCTION db.current_tenant() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
  -- Made once: written into the statement it is made for each row of a table that is small enough to be read whole.
  token_hash bytea := sha256(convert_to(current_setting('app.capability', true), 'UTF8'));
BEGIN
  RETURN (SELECT c.of_tenant FROM db.capability c WHERE c.hash = token_hash);
END
$$;

-- Whether the present token is the system's.
CREATE FUNCTION db.is_system() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
  token_hash bytea := sha256(convert_to(current_setting('app.capability', true), 'UTF8'));
BEGIN
  RETURN EXISTS (SELECT 1 FROM db.capability c WHERE c.hash = token_hash AND c.of_tenant IS NULL);
END
$$;

-- Lets a token of the system in: the first ever asks nobody, every other (a new master key's) asks the system.
-- 'known' when it is afterwards, 'unknown' when another key has the database, 'retired' when its key was.
CREATE FUNCTION db.admit_system(token_hash bytea, token_key bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM db.master_key k WHERE k.id = token_key AND k.retired_at IS NOT NULL) THEN RETURN 'retired'; END IF;
  IF EXISTS (SELECT 1 FROM db.capability c WHERE c.hash = token_hash AND c.of_tenant IS NULL) THEN RETURN 'known'; END IF;
  -- Two processes that start together: the second sees what the first has done.
  PERFORM pg_advisory_xact_lock(7240918253);
  IF EXISTS (SELECT 1 FROM db.master_key k WHERE k.id = token_key AND k.retired_at IS NOT NULL) THEN RETURN 'retired'; END IF;
  IF NOT (db.is_system() OR NOT EXISTS (SELECT 1 FROM db.capability c WHERE c.of_tenant IS NULL)) THEN
    RETURN CASE WHEN EXISTS (SELECT 1 FROM db.capability c WHERE c.hash = token_hash AND c.of_tenant IS NULL) THEN 'known' ELSE 'unknown' END;
  END IF;
  INSERT INTO db.master_key (id) VALUES (token_key) ON CONFLICT (id) DO NOTHING;
  INSERT INTO db.capability (hash, key_id) VALUES (token_hash, token_key) ON CONFLICT (hash) DO NOTHING;
  RETURN 'known';
END
$$;

-- Lets a tenant's token in; only the system may. Doing it again changes nothing.
CREATE FUNCTION db.admit_tenant(token_hash bytea, tenant uuid, token_key bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT db.is_system() OR tenant IS NULL THEN
    RAISE EXCEPTION 'only the system lets a tenant in' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO db.capability (hash, of_tenant, key_id) VALUES (token_hash, tenant, token_key) ON CONFLICT (hash) DO NOTHING;
END
$$;

-- The master keys that this database has known, with how many tokens each has; only the system asks.
CREATE FUNCTION db.list_master_keys() RETURNS TABLE (id bytea, admitted_at timestamptz, retired_at timestamptz, tokens bigint, last_token_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT db.is_system() THEN
    RAISE EXCEPTION 'only the system asks for master keys' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT k.id, k.admitted_at, k.retired_at, count(c.hash), max(c.created_at)
                 FROM db.master_key k LEFT JOIN db.capability c ON c.key_id = k.id
                GROUP BY k.id ORDER BY k.admitted_at, k.id LIMIT 100;
END
$$;

-- Retires a master key: its tokens open nothing from now on and are not let in again. Only the system may, by a token of
-- another key. How many tokens went; null when there is no such key, or it is retired already.
CREATE FUNCTION db.retire_master_key(old_key bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  own bytea := sha256(convert_to(current_setting('app.capability', true), 'UTF8'));
  gone bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(7240918253);
  IF NOT db.is_system() OR EXISTS (SELECT 1 FROM db.capability c WHERE c.hash = own AND c.key_id = old_key) THEN
    RAISE EXCEPTION 'only the system retires a master key, and not the one it acts by' USING ERRCODE = 'insufficient_privilege';
  END IF;
  UPDATE db.master_key k SET retired_at = now() WHERE k.id = old_key AND k.retired_at IS NULL;
  IF NOT FOUND THEN RETURN NULL; END IF;
  DELETE FROM db.capability c WHERE c.key_id = old_key;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;

-- Forgets a tenant that is gone: its tokens open nothing from now on.
CREATE FUNCTION db.dismiss_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT db.is_system() OR tenant IS NULL THEN
    RAISE EXCEPTION 'only the system dismisses a tenant' USING ERRCODE = 'insufficient_privilege';
  END IF;
  DELETE FROM db.capability c WHERE c.of_tenant = tenant;
END
$$;

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'groundwork_app') THEN
    GRANT USAGE ON SCHEMA db TO groundwork_app;
  END IF;
END
$$;

-- What both kinds of tables have in common: row security enabled and forced (so that it binds the owner too), the
-- one policy, and the rights of groundwork_app. Call protect_tenant_table or protect_system_table instead.
CREATE FUNCTION db.protect_table(protected regclass, policy_name name, visible text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  in_schema name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = protected);
  secret name;
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
  EXECUTE format('CREATE POLICY %I ON %s USING (%s) WITH CHECK (%s)', policy_name, protected, visible, visible);
  -- The planner's statistics are samples of all tenants' values, and pg_read_all_data reads pg_statistic.
  FOR secret IN
    SELECT a.attname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = protected AND a.attnum > 0 AND NOT a.attisdropped
       AND t.typcategory NOT IN ('B', 'D', 'N', 'T') AND a.atttypid <> 'uuid'::regtype
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', protected, secret);
  END LOOP;
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
  -- Each question is asked once a statement, and the second only where a row is not the tenant's. Asking takes 50 µs, and is
  -- done for the first row that is looked at: so that another's row takes no longer than none, "tenant_id = $1" has to drop
  -- it first. The planner puts the cheaper of two leakproof conditions first, hence the calls beside the comparison.
  PERFORM db.protect_table(protected, 'tenant_isolation', format(
    'CASE WHEN booleq(%I = (SELECT db.current_tenant()), true) THEN true ELSE (SELECT db.is_system()) END', tenant_column));
END
$$;

-- For a table that no tenant's transaction may see: only a system transaction does.
CREATE FUNCTION db.protect_system_table(protected regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  -- Dearer than "account_id = $1", as above.
  PERFORM db.protect_table(protected, 'system_only', 'booleq(booleq((SELECT db.is_system()), true), true)');
END
$$;

REVOKE ALL ON FUNCTION db.protect_table(regclass, name, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION db.protect_tenant_table(regclass, name) FROM PUBLIC;
REVOKE ALL ON FUNCTION db.protect_system_table(regclass) FROM PUBLIC;
