-- Links that open the console signed in, for who sits at a machine in development (auth/operators/development-link.ts). Of the
-- token only a hash is kept (SHA-256 of 256 random bits). A link is deleted by its use, and another takes its place.
CREATE TABLE auth.operator_link (
  operator_id uuid        PRIMARY KEY REFERENCES auth.operator (id) ON DELETE CASCADE,
  hash        bytea       NOT NULL CONSTRAINT operator_link_hash UNIQUE CHECK (octet_length(hash) = 32),
  expires_at  timestamptz NOT NULL
);
SELECT db.protect_system_table('auth.operator_link');
