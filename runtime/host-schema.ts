// The schema of the host's own tables. Whoever adds to it begins with this: `create schema if not exists` of two
// transactions at once makes the later one fail, and the parts of the host, and several processes, start together.

/**
 * To run in the transaction that adds something: until it ends nobody else makes the schema. A look at a catalog table
 * stands behind the lock, because waiting for one does not by itself tell a session what was made meanwhile.
 */
export const createHostSchema = `
do $$ begin
  perform pg_advisory_xact_lock(hashtext('groundwork.schema'));
  perform from pg_catalog.pg_namespace limit 1;
  create schema if not exists groundwork;
end $$;`;
