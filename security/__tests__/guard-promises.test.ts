// What the guard costs on Node 20 is the promises it makes: with an AsyncLocalStorage in use each one calls hooks.
import { createHook } from "node:async_hooks";
import { HandlerResponse, type MiddlewareRequest } from "encore.dev/api";
import { afterEach, expect, test, vi } from "vitest";
import { guardOf } from "../guard";

const caller: { current: unknown } = vi.hoisted(() => ({ current: null }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));
afterEach(() => void (caller.current = null));

const guard = guardOf("test");

/** Promises made from the start of a call to its answer, with those of the waiting for it. */
async function promisesOf(call: () => Promise<unknown>): Promise<number> {
  await call(); // reads the endpoint's tags
  let made = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === "PROMISE") made++;
    },
  });
  hook.enable();
  await call();
  hook.disable();
  // One for the `await` above.
  return made;
}

test("a call of a known caller that nothing has to wait for makes one promise in the guard", async () => {
  caller.current = {
    userID: "0193a1c0-0000-7000-8000-000000000001",
    tenantId: "0193a1c0-0000-7000-8000-0000000000aa",
    role: "member",
    sessionId: "s",
  };
  const req = {
    requestMeta: {
      type: "api-call",
      method: "GET",
      path: "/x",
      headers: { "x-forwarded-for": "203.0.113.77" },
      api: { service: "test", endpoint: "promises", raw: false, auth: true, tags: ["can:document.read"] },
    },
  } as unknown as MiddlewareRequest;
  const answer = Promise.resolve(new HandlerResponse({ ok: true }));
  const guarded = await promisesOf(() => guard[0]!(req, () => answer));
  const one = await promisesOf(() => answer.then((response) => response));
  expect(guarded).toBe(one);
});
