import dns, { type LookupAddress } from "node:dns";
import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { lookupJoined, NameLookups } from "../name-lookup";

const found: LookupAddress[] = [{ address: "192.0.2.1", family: 4 }];

/** Names that nobody answers for until the test does. */
function setUp(): { lookups: NameLookups; asked: string[]; answer: () => void; refuse: () => void } {
  const asked: string[] = [];
  let settle: { resolve: (addresses: LookupAddress[]) => void; reject: (error: Error) => void };
  const look = (name: string): Promise<LookupAddress[]> => {
    asked.push(name);
    return new Promise((resolve, reject) => (settle = { resolve, reject }));
  };
  const lookups = new NameLookups(look, () => nowMs);
  return { lookups, asked, answer: () => settle.resolve(found), refuse: () => settle.reject(new Error("ENOTFOUND")) };
}
let nowMs = 0;

describe("a name that hangs", () => {
  // A registration a second asked for it each time, and libuv looks up two at once: after a minute nothing else was found.
  test("is looked up once, however many want it and however early they leave", async () => {
    const { lookups, asked, answer } = setUp();
    const leaving = Array.from({ length: 100 }, () => {
      const left = new AbortController();
      const waiting = lookups.untilFound("https://hung.example/x", left.signal);
      left.abort(new Error("left"));
      return expect(waiting).rejects.toThrow("left");
    });
    await Promise.all(leaving);
    const staying = lookups.addressesOf("hung.example");
    expect(asked).toEqual(["hung.example"]);
    answer();
    expect(await staying).toEqual(found);
  });

  test("leaves nothing on the signal of who waited for it", async () => {
    const { lookups, answer } = setUp();
    const { signal } = new AbortController();
    const waiting = lookups.untilFound("https://hung.example/x", signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    answer();
    await waiting;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("is asked for again when that has ended, whichever way", async () => {
    const { lookups, asked, answer, refuse } = setUp();
    const first = lookups.addressesOf("hung.example");
    refuse();
    await expect(first).rejects.toThrow("ENOTFOUND");
    const second = lookups.addressesOf("hung.example");
    answer();
    await second;
    expect(asked).toHaveLength(2);
  });
});

test("who connects by itself waits for the name, but for one that was found a moment ago, and for an address", async () => {
  const { lookups, asked, answer } = setUp();
  const { signal } = new AbortController();
  const first = lookups.untilFound("https://ai.example/v1", signal);
  answer();
  await first;
  nowMs += 29_999;
  await lookups.untilFound("https://ai.example/v1", signal);
  for (const address of ["http://127.0.0.1:1/", "http://[::1]:1/"]) await lookups.untilFound(address, signal);
  expect(asked).toEqual(["ai.example"]);
  nowMs += 1;
  const again = lookups.untilFound("https://ai.example/v1", signal);
  expect(asked).toHaveLength(2);
  answer();
  await again;
});

test("a connection gets the addresses of the family that it wants", async () => {
  const both: LookupAddress[] = [{ address: "2001:db8::1", family: 6 }, ...found];
  const look = vi.spyOn(dns.promises, "lookup").mockResolvedValue(both as never);
  const ask = (options: Parameters<typeof lookupJoined>[1]): Promise<unknown[]> =>
    new Promise((done) => lookupJoined("both.example", options, (...answer) => done(answer)));
  expect(await ask({ all: true })).toEqual([null, both]);
  expect(await ask({ all: true, family: 4 })).toEqual([null, found]);
  expect(await ask({ family: "IPv6" })).toEqual([null, "2001:db8::1", 6]);
  look.mockRejectedValueOnce(new Error("ENOTFOUND"));
  expect((await ask({}))[0]).toMatchObject({ message: "ENOTFOUND" });
  look.mockRestore();
});
