// Circuit breakers by a clock of the test's own; nobody is asked anything.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  breakersHeld,
  isHealthy,
  isResting,
  resetBreakers,
  restingProviders,
  REST_MS,
  throughBreaker,
} from "../providers/breakers";
import { ProviderFailure } from "../providers/failure";

const LINE = { provider: "openai", owner: "installation" };
const fails = (): Promise<never> => Promise.reject(new ProviderFailure("failed", { paid: "nothing" }));
const reason = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "answered",
    (error: unknown) => (error instanceof ProviderFailure ? error.reason : String(error)),
  );

beforeEach(() => {
  resetBreakers();
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  resetBreakers();
});

async function open(line = LINE): Promise<void> {
  for (let call = 0; call < 5; call++) expect(await reason(throughBreaker(line, fails))).toBe("failed");
}

describe("a breaker", () => {
  test("opens after five faults running, and what is no fault of the provider's counts for none", async () => {
    const refused = (): Promise<never> => Promise.reject(new ProviderFailure("request_refused", { paid: "nothing" }));
    for (let call = 0; call < 10; call++) await reason(throughBreaker(LINE, refused));
    expect(isHealthy(LINE)).toBe(true);
    await open();
    expect(isHealthy(LINE)).toBe(false);
    await open({ ...LINE, owner: "another" });
    expect([...restingProviders()]).toEqual([["openai", 2]]);
    expect(await reason(throughBreaker(LINE, () => Promise.resolve()))).toBe("resting");
  });

  test("lets one call try after its rest, and nobody waits for that one", async () => {
    await open();
    vi.setSystemTime(Date.now() + REST_MS - 1);
    expect(isResting(LINE)).toBe(true);
    vi.setSystemTime(Date.now() + 2);
    expect(isResting(LINE)).toBe(false);
    let answer: () => void = () => undefined;
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const trying = reason(
      throughBreaker(LINE, () => {
        begin();
        return new Promise<void>((resolve) => (answer = resolve));
      }),
    );
    await begun;
    // It ends when the test says so: who waited for it would not answer here.
    expect([isHealthy(LINE), isResting(LINE)]).toEqual([false, true]);
    let asked = 0;
    const others = await Promise.all(
      Array.from({ length: 3 }, () =>
        reason(
          throughBreaker(LINE, () => {
            asked++;
            return Promise.resolve();
          }),
        ),
      ),
    );
    expect([others, asked]).toEqual([["resting", "resting", "resting"], 0]);
    answer();
    expect(await trying).toBe("answered");
    expect([isHealthy(LINE), isResting(LINE)]).toEqual([true, false]);
    expect(await reason(throughBreaker(LINE, () => Promise.resolve()))).toBe("answered");
  });

  test("opens anew when the call that tries fails", async () => {
    await open();
    vi.setSystemTime(Date.now() + REST_MS + 1);
    expect(await reason(throughBreaker(LINE, fails))).toBe("failed");
    expect([isHealthy(LINE), isResting(LINE)]).toEqual([false, true]);
  });

  test("is of a provider and whose key: another organisation's goes on", async () => {
    await open({ provider: "openai", owner: "one" });
    expect(isHealthy({ provider: "openai", owner: "one" })).toBe(false);
    for (const owner of ["other", "installation"]) {
      expect(isHealthy({ provider: "openai", owner })).toBe(true);
      expect(await reason(throughBreaker({ provider: "openai", owner }, () => Promise.resolve()))).toBe("answered");
    }
  });

  test("is forgotten when a thousand others were asked for since, and the one that is in use is not", async () => {
    await open();
    for (let index = 0; index < 1_500; index++) {
      await reason(throughBreaker({ provider: "openai", owner: `of-${index}` }, () => Promise.resolve()));
      if (index % 500 === 0) expect(await reason(throughBreaker(LINE, () => Promise.resolve()))).toBe("resting");
    }
    expect(breakersHeld()).toBe(1_000);
    expect(isHealthy(LINE)).toBe(false);
  });
});
