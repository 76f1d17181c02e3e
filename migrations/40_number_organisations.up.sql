-- Of the numbers of memberships: access tokens name the greatest of membership, role and organisation. So that all tokens of an
-- organisation are refused by one row, however many members it has.
ALTER TABLE auth.organisation ADD COLUMN revision bigint NOT NULL DEFAULT 0;
