-- Accounts whose address nobody has shown to be theirs go after 30 days, if nobody uses them: those that have waited longest are
-- found first. Those that are there wait from now on, so that nobody goes the moment this is applied.
ALTER TABLE auth.account ADD COLUMN waits_since timestamptz NOT NULL DEFAULT now();
CREATE INDEX account_never_verified ON auth.account (waits_since, id) WHERE email_verified_at IS NULL AND purge_at IS NULL;

-- An address is composed once more after its letters were made small: a few were stored otherwise, and would not be found.
UPDATE auth.account a SET email = normalize(email, NFKC)
WHERE email IS NOT NFKC NORMALIZED AND NOT EXISTS (SELECT FROM auth.account b WHERE b.email = normalize(a.email, NFKC));
