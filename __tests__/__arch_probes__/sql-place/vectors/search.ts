// Breaks `sql-place`, once: the statement belongs into store.ts. The prose beside it is no statement.
export const hint = "Select a document from the list, then set its title to something short";
export const statement = `
  -- newest first
  select id, title from vectors.document
  order by id desc limit $1`;
