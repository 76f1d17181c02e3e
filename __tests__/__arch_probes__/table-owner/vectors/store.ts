// Breaks `table-owner`: accounts are auth's.
export const documentsOfAccount = "select d.id from vectors.document d join auth.account a on a.id = d.account_id";
