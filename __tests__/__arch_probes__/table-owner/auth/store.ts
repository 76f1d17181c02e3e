// Correct: the owner.
export const accountFind = "select id from auth.account where id = $1";
export const eventType = "auth.account.registered";
