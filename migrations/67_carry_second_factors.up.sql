-- Since when an account has a second factor, where one was removed: what takes its place carries the date on. Null: since the oldest of
-- those that it has.
ALTER TABLE auth.account ADD COLUMN second_factor_since timestamptz;
-- A passkey that is asked for behind another factor, and signs in no more by itself (auth/factors/enrolment.ts).
ALTER TABLE auth.passkey ADD COLUMN is_second_only boolean NOT NULL DEFAULT false;
-- Which address an account lost when it went back to the one before: it is told, and its token does nothing.
ALTER TABLE auth.one_time_token DROP CONSTRAINT one_time_token_purpose_check,
  ADD CONSTRAINT one_time_token_purpose_check CHECK (purpose IN
    ('verify-email', 'reset-password', 'change-email', 'revert-email', 'restore-account', 'step-up', 'email-reverted'));
