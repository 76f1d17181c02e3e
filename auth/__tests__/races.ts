// What tests of races share: many acts at once and how each ended, and one that comes in the middle of another's change.
import { expect } from "vitest";
import { systemQuery, withSystem, type Tx } from "../../db/tenant";
import { concurrent } from "../../testing";
import { reason } from "./people";

const ROUNDS = 5;

/** How many rows `from` has. */
export const number = async (from: string, values: unknown[]): Promise<number> =>
  (await systemQuery<{ n: number }>("test", `select count(*)::int as n from ${from}`, values))[0]?.n ?? -1;

export const liveSessions = (accountId: string): Promise<number> =>
  number("auth.session where account_id = $1 and revoked_at is null and expires_at > now()", [accountId]);

/** Runs all at once; how each ended: undefined for success, else the reason. */
export async function outcomes(acts: readonly (() => Promise<unknown>)[]): Promise<(string | undefined)[]> {
  const ended = await concurrent(acts.length, (n) => acts[n]?.() ?? Promise.reject(new Error("no act")));
  return Promise.all(
    ended.map(async (one) =>
      one.status === "fulfilled" ? undefined : ((await reason(Promise.reject(one.reason as Error))) ?? "unknown"),
    ),
  );
}
export const wins = (ended: readonly (string | undefined)[]): number =>
  ended.filter((told) => told === undefined).length;

export async function inRounds(round: () => Promise<void>): Promise<void> {
  for (let n = 0; n < ROUNDS; n++) await round();
}

/** Of many who bring one token, one has the effect, and the others are told that it was used. */
export async function oneOf(act: (n: number) => Promise<unknown>, refusal = "link_invalid"): Promise<void> {
  const ended = await outcomes(Array.from({ length: 8 }, (_, n) => () => act(n)));
  expect(wins(ended)).toBe(1);
  expect(new Set(ended.filter((told) => told !== undefined))).toEqual(new Set([refusal]));
}

/** Makes the change, runs `meanwhile`, and commits the change when that resolves; resolves when it is committed. */
export async function whileUncommitted(
  change: (tx: Tx) => Promise<void>,
  meanwhile: () => Promise<void>,
): Promise<void> {
  let isMade!: () => void;
  let mayCommit!: () => void;
  const [made, committing] = [
    new Promise<void>((done) => (isMade = done)),
    new Promise<void>((done) => (mayCommit = done)),
  ];
  const changed = withSystem("test", async (tx) => {
    await change(tx);
    isMade();
    await committing;
  });
  await made;
  await meanwhile().finally(mayCommit);
  await changed;
}

/** Until so many connections to this database wait for others. */
export async function untilWaiting(connections: number): Promise<void> {
  const waiting = `(select distinct l.pid from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where not l.granted and a.datname = current_database()) waiting`;
  await expect.poll(() => number(waiting, []), { timeout: 120_000 }).toBeGreaterThanOrEqual(connections);
}

/**
 * Runs `meanwhile` from when `change` was made until each waits, for it or for one another, and commits the change then. The
 * second begins when the first waits. Resolves with what each resolved with.
 */
export async function duringChange<T>(
  change: (tx: Tx) => Promise<void>,
  ...meanwhile: (() => Promise<T>)[]
): Promise<T[]> {
  const running: Promise<T>[] = [];
  await whileUncommitted(change, async () => {
    for (const act of meanwhile) await untilWaiting(running.push(act()));
  });
  return Promise.all(running);
}
