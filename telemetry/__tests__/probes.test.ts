import { afterEach, describe, expect, test } from "vitest";
import { checkReadiness, registerProbe } from "../probes";

const removers: (() => void)[] = [];
const probe = (...args: Parameters<typeof registerProbe>): void => void removers.push(registerProbe(...args));

afterEach(() => {
  for (const remove of removers.splice(0)) remove();
});

describe("readiness", () => {
  test("needs every probe", async () => {
    probe("a", async () => {});
    expect(await checkReadiness()).toMatchObject({ ready: true, draining: false });
    probe("b", () => Promise.reject(new Error("away")));
    const { ready, checks } = await checkReadiness();
    expect(ready).toBe(false);
    expect(checks.find((check) => check.name === "b")).toMatchObject({ ok: false, error: new Error("away") });
    expect(checks.find((check) => check.name === "a")).toMatchObject({ ok: true });
  });

  test("a probe that never answers is a failed one", async () => {
    probe("stuck", () => new Promise(() => {}), { timeoutMs: 5 });
    expect((await checkReadiness()).checks.find((check) => check.name === "stuck")?.ok).toBe(false);
  });

  test("does not need a part that the app does without for a while, and tells of it", async () => {
    probe("vital", async () => {});
    probe("shared", () => new Promise(() => {}), { timeoutMs: 5, isVital: false });
    const { ready, checks } = await checkReadiness();
    expect(ready).toBe(true);
    expect(checks.find((check) => check.name === "shared")).toMatchObject({ ok: false, isVital: false });
  });

  test("is asked once, however many ask within half a second", async () => {
    let asked = 0;
    probe("counted", async () => void asked++);
    await Promise.all([checkReadiness(1000), checkReadiness(1001), checkReadiness(1400)]);
    expect(asked).toBe(1);
    await checkReadiness(1501);
    expect(asked).toBe(2);
  });

  test("asks a part that hangs once, also those who come while it hangs", async () => {
    let asked = 0;
    let answer = (): void => undefined;
    probe("slow", () => (asked++, new Promise((resolve) => (answer = resolve))));
    const first = checkReadiness(1000);
    const second = checkReadiness(9000);
    answer();
    await Promise.all([first, second]);
    expect(asked).toBe(1);
    const third = checkReadiness(9001);
    answer();
    await third;
    expect(asked).toBe(2);
  });
});
