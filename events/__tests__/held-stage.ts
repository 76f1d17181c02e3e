// Consumers that are held: to hold one, to move on what waits for it, and to count it.
import { expect } from "vitest";
import { pauseConsumer } from "../consumer-desk";
import { declarations } from "../declarations";
import { moveHeldOn } from "../hold-release";
import { rowsOf } from "./direct-stage";

/** Others' backlogs in a shared database are none of ours. */
export const ANY = 1_000_000;
export const moveAll = async (): Promise<void> => {
  while (await moveHeldOn(ANY));
};

export async function pause(name: string, reason = "its database is moved"): Promise<void> {
  await declarations.refresh();
  expect(await pauseConsumer(name, reason)).toBe(true);
}

export const heldOf = (name: string): Promise<number> =>
  rowsOf(name, "select count(*)::int as n from events.held where consumer = $1");
export const attemptsOf = (name: string): Promise<number> =>
  rowsOf(name, "select coalesce(sum(attempts), 0)::int as n from events.inbox where consumer = $1");
