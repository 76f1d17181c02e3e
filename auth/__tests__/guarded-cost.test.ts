// What a guarded request costs beside its handler, by an access token and by an API key, in things that are counted and not in
// time: statements, signatures that are verified, timers, whatever else the process waits for. A request of a caller who is known has
// none of them, and one by a key is as cheap as one by a token. In time, on a machine that does nothing else: bench/http.
import { createHook } from "node:async_hooks";
import { HandlerResponse, type MiddlewareRequest } from "encore.dev/api";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AuthData } from "../../security/principal";
import { guardOf } from "../../security/guard";
import { registerCaller } from "../../testing";
import { createApiKey } from "../api-keys";
import { authenticate } from "../gateway";
import { register } from "../registration";
import { newcomer } from "./people";

const caller: { current: AuthData | null } = vi.hoisted(() => ({ current: null }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

const guard = guardOf("test");
const ADDRESS = "203.0.113.78";

// What is known of a key is old after a second and a half, and of revocations after one.
beforeEach(() => {
  const nowMs = performance.now();
  vi.spyOn(performance, "now").mockReturnValue(nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
  caller.current = null;
});

/** Kinds of what the process began to wait for (promises, sockets, signatures, timers) meanwhile. */
async function begunBy(work: () => unknown): Promise<string[]> {
  const begun: string[] = [];
  const hook = createHook({ init: (_id, type) => void begun.push(type) });
  hook.enable();
  try {
    // Promises are waited for where there are any, so that none is made for what is there.
    const made = work();
    if (made instanceof Promise) await made;
  } finally {
    hook.disable();
  }
  return begun;
}
const kindsOf = async (work: () => unknown): Promise<Set<string>> => new Set(await begunBy(work));

const atGateway = (credential: string): AuthData | Promise<AuthData> | null =>
  authenticate({ authorization: `Bearer ${credential}`, forwardedFor: ADDRESS }) as AuthData | Promise<AuthData> | null;

const atGuard = (): unknown => {
  const req = {
    requestMeta: {
      type: "api-call",
      method: "GET",
      path: "/x",
      headers: { "x-forwarded-for": ADDRESS },
      api: { service: "test", endpoint: "cost", raw: false, auth: true, tags: ["can:document.read"] },
    },
  } as unknown as MiddlewareRequest;
  return guard[0]!(req, () => answer);
};
const answer = Promise.resolve(new HandlerResponse({ ok: true }));

/** The job that verifies a signature. Whoever asks the database waits for promises. */
const VERIFYING = "SIGNREQUEST";

const credentials: [string, (owner: Awaited<ReturnType<typeof registerCaller>>) => Promise<string>][] = [
  ["an access token", async ({ accessToken }) => Promise.resolve(accessToken)],
  ["an API key", async ({ principal }) => (await createApiKey(principal, { name: "k" })).key],
];

describe.each(credentials)("a guarded request by %s", (_kind, credentialOf) => {
  test("begins nothing at the gateway once it is known: no statement, no signature, no promise", async () => {
    const credential = await credentialOf(await registerCaller());
    await atGateway(credential);
    for (let n = 0; n < 100; n++) expect(await begunBy(() => atGateway(credential))).toEqual([]);
  });

  test("makes one promise in the guard, and waits for nothing else", async () => {
    const credential = await credentialOf(await registerCaller());
    caller.current = await atGateway(credential);
    await atGuard(); // reads the endpoint's tags
    const one = await begunBy(() => answer.then((response) => response));
    for (let n = 0; n < 100; n++) expect(await begunBy(atGuard)).toEqual(one);
  });
});

test("what is not known yet is asked for, and seen by such counts: a token's signature, a key's row", async () => {
  const { accessToken } = await register(newcomer(), new Date());
  const { key } = await createApiKey((await registerCaller()).principal, { name: "k" });
  const [ofToken, ofKey] = [await kindsOf(() => atGateway(accessToken)), await kindsOf(() => atGateway(key))];
  expect(ofToken).toContain(VERIFYING);
  expect(ofKey).not.toContain(VERIFYING);
  expect(ofKey).toContain("PROMISE");
});
