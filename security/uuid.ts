// Ids of whatever room. Read by db/ids.ts too, which makes them.
import { validate } from "uuid";

/**
 * True for a UUID of any version as all are written here, in small letters. Check before a cast: Postgres answers 22P02 otherwise.
 * It would take capitals too, and find the row; but what is hashed, sealed, counted or revoked by the text would be another's.
 */
export const isUuid = (text: string): boolean => validate(text) && text === text.toLowerCase();
