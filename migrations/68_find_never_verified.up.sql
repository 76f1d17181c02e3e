-- Accounts whose address nobody has shown to be theirs go after 30 days, if nobody uses them: the oldest are found first.
CREATE INDEX account_never_verified ON auth.account (created_at, id) WHERE email_verified_at IS NULL AND purge_at IS NULL;
