import { describe, expect, it } from "vitest";
import { z } from "zod";
import { comeBackMs, idempotencyKey, isJobName, queueNameOf, RETRY, retryDelayMs } from "../conventions";
import { defineJob } from "../job";

describe("job names", () => {
  it.each(["vectors:embed", "auth:send-mail", "a1:b2"])("may be %j", (name) => expect(isJobName(name)).toBe(true));
  it.each(["embed", "Vectors:embed", "vectors:", "vectors:embed:now", "vectors.embed", ""])("may not be %j", (name) => {
    expect(isJobName(name)).toBe(false);
    expect(() => defineJob({ name, payload: z.object({}), timeoutMs: 1 })).toThrow("domain:action");
  });
  it("become queue names without the colon that BullMQ refuses", () =>
    expect(queueNameOf("vectors:embed")).toBe("vectors.embed"));
});

describe("the retry table", () => {
  it("doubles the wait up to its ceiling and shortens it by the jitter's share at most", () => {
    expect([1, 2, 3, 20].map((attempt) => retryDelayMs(RETRY.standard, attempt, () => 0))).toEqual([
      1_000, 2_000, 4_000, 60_000,
    ]);
    expect(retryDelayMs(RETRY.standard, 1, () => 1)).toBe(500);
    expect(retryDelayMs(RETRY.once, 1, () => 1)).toBe(0);
  });
  it("lets a minute pass at least before what is left behind the last attempt: the dead letter", () => {
    const slow = { ...RETRY.standard, firstDelayMs: 600_000, maxDelayMs: 600_000 };
    expect([1, 4, 5, 900].map((attempt) => comeBackMs(RETRY.standard, attempt, () => 1))).toEqual([
      500, 4_000, 60_000, 60_000,
    ]);
    expect([comeBackMs(RETRY.once, 1, () => 1), comeBackMs(slow, 5, () => 0)]).toEqual([60_000, 600_000]);
  });
});

describe("idempotency keys", () => {
  it("differ for parts that differ, also where a part holds the separator", () => {
    expect(idempotencyKey("a/b", "c")).not.toBe(idempotencyKey("a", "b/c"));
    expect(idempotencyKey("document", 7)).toBe("document/7");
  });
});
