-- Where a log begins and ends stands under seals of the app (audit/seal.ts): HMACs under a key that no statement can read, each behind
-- the four bytes that name its key. Null: no seal yet, of what was written before this; `npm run admin -- audit seal`, or the first
-- upkeep, seals it.
ALTER TABLE audit.head
  -- Over kept_from and kept_after.
  ADD COLUMN start_seal bytea,
  -- Over the entry with this number and its hash: the last one, but behind what an earlier version of the app wrote.
  ADD COLUMN sealed_seq bigint,
  ADD COLUMN end_seal   bytea;
