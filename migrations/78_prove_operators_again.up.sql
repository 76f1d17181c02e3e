-- When an operator last showed who they are in a session: what changes something asks for less than ten minutes ago
-- (security/admission.ts). A session that a link opened in development has nothing to show again: it counts as just proven until it ends.
ALTER TABLE auth.operator_session ADD COLUMN proven_at timestamptz NOT NULL DEFAULT now();
