// Two people redrive the same thousand dead letters at once, over several calls each: needs real concurrency.
import { expect, it } from "vitest";
import { redriveAfterFix } from "./redrive-after-fix";

it("a consumer fixed after a thousand dead letters gets all of them by one filter, each effect once", async () => {
  expect(await redriveAfterFix(1_000)).toEqual({ dead: 1_000, open: 0, redriven: 1_000, once: 1_000, otherwise: 0 });
});
