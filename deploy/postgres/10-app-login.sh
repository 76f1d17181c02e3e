#!/bin/sh
# Run once by the image of Postgres, for a new database.
set -eu
psql -v ON_ERROR_STOP=1 --username postgres --dbname "$POSTGRES_DB" -v app_password="$APP_PASSWORD" <<'SQL'
-- The app's own login: row security binds it, it owns nothing that a migration makes, and it may make its own schemas
-- (those of topics and jobs). Migrations, backups and restores use the operator's.
CREATE ROLE groundwork_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
CREATE ROLE app LOGIN PASSWORD :'app_password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE IN ROLE groundwork_app;
ALTER ROLE app SET idle_in_transaction_session_timeout = '60s';
GRANT pg_read_all_data TO app;
GRANT CREATE ON DATABASE app TO app;
SQL
