// A process does not go on with a service that answers without the guard.
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkReadiness } from "../../telemetry/probes";
import { guardOf } from "../guard";
import { refuseUnguarded } from "../guard-check";

vi.mock("~encore/auth", () => ({ getAuthData: () => null }));

const ended: number[] = [];
afterEach(() => void ended.splice(0));

const check = (hosted: string[], withinMs: number): Promise<void> =>
  refuseUnguarded(
    (code) => ended.push(code),
    () => hosted,
    withinMs,
  );
const guardProbe = async (): Promise<boolean | undefined> =>
  (await checkReadiness()).checks.find(({ name }) => name === "guard")?.ok;

describe("the check at the start", () => {
  test("lets a process be whose hosted services all mount the guard, and leaves nothing behind", async () => {
    guardOf("billing");
    guardOf("not-hosted-here");
    await check(["billing"], 60_000);
    expect(ended).toEqual([]);
    expect(await guardProbe()).toBeUndefined();
  });

  test("waits for a service that is loaded late, and is not ready meanwhile", async () => {
    const checked = check(["billing", "late"], 60_000);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(await guardProbe()).toBe(false);
    guardOf("late");
    await checked;
    expect(ended).toEqual([]);
    expect(await guardProbe()).toBeUndefined();
  });

  test("ends a process in which one does not, and stays not ready until it is gone", async () => {
    await check(["billing", "forgotten"], 60);
    expect(ended).toEqual([1]);
    const { ready, checks } = await checkReadiness();
    expect(ready).toBe(false);
    expect(String(checks.find(({ name }) => name === "guard")?.error)).toContain(
      'write new Service("forgotten", { middlewares: guardOf("forgotten") }) in its encore.service.ts',
    );
  });
});
