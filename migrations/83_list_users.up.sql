-- Lists of users go on behind a moment that they told, which has milliseconds.
ALTER TABLE auth.membership ALTER COLUMN created_at TYPE timestamptz(3);
