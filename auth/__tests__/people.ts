// People to register, and short ways to ask what became of them.
import { systemQuery } from "../../db/tenant";
import { reasonOf } from "../../security/errors";

export const start = new Date("2026-03-01T09:00:00Z");
export const later = (ms: number): Date => new Date(start.getTime() + ms);
export const DAY_MS = 86_400_000;
export const here = "192.0.2.1";
export const password = "a passphrase of many words";
let people = 0;
/** Files may share a database, and an e-mail is taken once. */
const file = crypto.randomUUID().slice(0, 8);

export function newcomer(): { email: string; password: string; organisation: string } {
  people++;
  return { email: `person${people}-${file}@example.com`, password, organisation: `Organisation ${people}` };
}

export const reason = async (promise: Promise<unknown>): Promise<string | undefined> =>
  reasonOf(
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
export const count = async (table: string): Promise<number> =>
  (await systemQuery<{ n: number }>("test", `select count(*)::int as n from ${table}`))[0]?.n ?? -1;

/** As if an account had been made so many days ago and its sign-ins were over long since: upkeep has removed them. */
export async function ageAccount({ user }: { user: { id: string } }, days: number): Promise<void> {
  await systemQuery("test", "update auth.account set waits_since = now() - make_interval(days => $2) where id = $1", [
    user.id,
    days,
  ]);
  await systemQuery("test", "delete from auth.session where account_id = $1", [user.id]);
}
