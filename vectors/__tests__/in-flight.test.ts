import { describe, expect, test } from "vitest";
import { InFlight } from "../in-flight";

type Content = { hash: string };
const contents = (...hashes: string[]): Content[] => hashes.map((hash) => ({ hash }));
const listed =
  (...hashes: string[]) =>
  (): Promise<Content[]> =>
    Promise.resolve(contents(...hashes));
const never = new AbortController().signal;

describe("contents in flight", () => {
  test("are taken once within a scope, and again when they were given back", async () => {
    const inFlight = new InFlight();
    expect(await inFlight.next("a", listed("x", "y"), never)).toEqual(contents("x", "y"));
    expect(await inFlight.next("a", listed("y", "z"), never)).toEqual(contents("z"));
    expect(await inFlight.next("b", listed("x"), never)).toEqual(contents("x"));
    inFlight.release("a", contents("x", "y"));
    expect(await inFlight.next("a", listed("x", "y", "z"), never)).toEqual(contents("x", "y"));
    expect(await inFlight.next("a", listed(), never)).toEqual([]);
  });

  test("that were given back while somebody looked are looked for again: the look may be older than their vectors", async () => {
    const inFlight = new InFlight();
    await inFlight.next("a", listed("x"), never);
    const answers: ((found: Content[]) => void)[] = [];
    const looking = inFlight.next("a", () => new Promise<Content[]>((resolve) => answers.push(resolve)), never);
    inFlight.release("a", contents("x"));
    answers.shift()?.(contents("x"));
    await expect.poll(() => answers).toHaveLength(1);
    answers.shift()?.(contents("y"));
    expect(await looking).toEqual(contents("y"));
    expect(await inFlight.next("a", listed("x"), never)).toEqual(contents("x"));
  });

  test("of a look that failed are nobody's", async () => {
    const inFlight = new InFlight();
    const failed = inFlight.next("a", () => Promise.reject(new Error("no database")), never);
    await expect(failed).rejects.toThrow("no database");
    expect(await inFlight.next("a", listed("x"), never)).toEqual(contents("x"));
  });

  test("that others are at are waited for, until they are given back or the job is aborted", async () => {
    const inFlight = new InFlight();
    await inFlight.next("a", listed("x"), never);
    const aborting = new AbortController();
    const aborted = inFlight.next("a", listed("x"), aborting.signal);
    const given = inFlight.next("a", listed("x"), never);
    aborting.abort(new Error("out of time"));
    await expect(aborted).rejects.toThrow("out of time");
    inFlight.release("a", contents("x"));
    expect(await given).toEqual(contents("x"));
  });
});
