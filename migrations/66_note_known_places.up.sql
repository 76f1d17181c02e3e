-- Where an account or an operator signed in lately, the last place first: addresses as digests that only the app can make
-- (auth/known-places.ts). Whoever comes from there has attempts at the password that strangers cannot use up.
ALTER TABLE auth.account ADD COLUMN known_places bytea[] NOT NULL DEFAULT '{}'
  CONSTRAINT account_known_places_few CHECK (cardinality(known_places) <= 10);
ALTER TABLE auth.operator ADD COLUMN known_places bytea[] NOT NULL DEFAULT '{}'
  CONSTRAINT operator_known_places_few CHECK (cardinality(known_places) <= 10);
