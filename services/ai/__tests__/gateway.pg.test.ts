// Calls of models as they go right and wrong, against a server that speaks the providers' protocols (provider-server.ts).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tenantQuery } from "../../../db/tenant";
import { reasonOf } from "../../../security/errors";
import { registerCaller, type Caller } from "../../../testing";
import { putSecret } from "../../../secrets/tenant-secret";
import { collect } from "../collect";
import { giveUpAll } from "../deadline";
import { ask, TIMINGS, type Asked } from "../gateway";
import { resetBreakers, isHealthy } from "../providers/breakers";
import { replaceProviders, secretNameOf } from "../providers/registry";
import { worstCase } from "../worst-case";
import { ANSWER, INPUT_TOKENS, startProviderServer, type Kind, type ProviderServer } from "./provider-server";
import { booksOf } from "./spending";

let server: ProviderServer;
let caller: Caller;
let putBack: () => void = () => undefined;

beforeAll(async () => {
  server = await startProviderServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  resetBreakers();
  caller = await registerCaller();
  for (const kind of ["openai", "anthropic", "mistral", "compatible"] as const) server.does[kind] = [ANSWER];
  server.seen.length = 0;
  server.billed = 0;
});
afterEach(() => putBack());

/** Providers of these kinds, in this order, each by a key of the caller's organisation. */
async function offer(...kinds: Kind[]): Promise<void> {
  putBack = replaceProviders(server.providers(kinds));
  for (const kind of kinds) await putSecret(caller.principal, secretNameOf(kind), `key-of-${kind}`);
}

const REQUEST = { messages: [{ role: "user" as const, content: "Which port?" }], maxOutputTokens: 100 };
const WORST = worstCase(REQUEST);
const WORST_COST = WORST.inputTokens + 2 * WORST.outputTokens;
const ANSWER_COST = INPUT_TOKENS + 2 * 3;
/** Short, so that what does not come is not waited for. */
const QUICK = { ...TIMINGS, beginMs: 150, reasoningBeginMs: 150, idleMs: 150 };

const asked = (more: Partial<Asked> = {}): Asked => ({ kind: "generate", request: REQUEST, ...more });
const run = async (more: Partial<Asked> = {}, timings = TIMINGS): Promise<string> =>
  (await collect(await ask(caller.principal, asked(more), timings))).text;
const reason = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
const kindsSeen = (): Kind[] => server.seen.map(({ kind }) => kind);

describe.each(["openai", "anthropic", "mistral", "compatible"] as const)("a provider of the kind %s", (kind) => {
  test("is asked by the organisation's key for no more than is reserved, and what it tells of tokens is settled", async () => {
    await offer(kind);
    const answer = await ask(caller.principal, asked());
    expect((await booksOf(caller)).reserved).toBe(WORST_COST);
    expect(await collect(answer)).toMatchObject({
      text: "The port is 4000.",
      reason: "stop",
      usage: { inputTokens: INPUT_TOKENS, outputTokens: 3, costMicroUsd: ANSWER_COST },
    });
    expect(await booksOf(caller)).toEqual({ spent: ANSWER_COST, reserved: 0, entries: ANSWER_COST, open: 0 });
    const [first] = server.seen;
    expect(first).toMatchObject({ key: `key-of-${kind}`, body: { stream: true } });
    expect(first?.body.max_tokens ?? first?.body.max_completion_tokens).toBe(100);
  });

  test("that cuts its answer off is paid for all that it may have billed, and nobody else is asked", async () => {
    await offer(kind, kind === "openai" ? "mistral" : "openai");
    server.does[kind] = [{ does: "cut", parts: ["The port"] }];
    expect(await reason(run())).toBe("providers_unavailable");
    expect(await booksOf(caller)).toEqual({ spent: WORST_COST, reserved: 0, entries: WORST_COST, open: 0 });
    expect(kindsSeen()).toEqual([kind]);
  });
});

describe("a provider that does not answer", () => {
  test.each([
    [429, 0],
    [500, 0],
    [503, 0],
    [529, 0],
    [401, 0],
    [404, 0],
    // A proxy says it: the model may have answered.
    [502, WORST_COST],
    [504, WORST_COST],
  ])("but with %i is passed over, and what it may have been paid counts", async (status, paid) => {
    await offer("openai", "anthropic");
    server.does.openai = [{ does: "refuse", status }];
    expect(await run()).toBe("The port is 4000.");
    expect(kindsSeen()).toEqual(["openai", "anthropic"]);
    expect(server.billed).toBe(1);
    expect(await booksOf(caller)).toMatchObject({ spent: paid + ANSWER_COST, reserved: 0, open: 0 });
  });

  test("because nothing listens there is passed over at once", async () => {
    await offer("openai", "anthropic");
    const gone = await startProviderServer();
    const declared = [...gone.providers(["openai"]), ...server.providers(["anthropic"])];
    await gone.stop();
    putBack();
    putBack = replaceProviders(declared);
    expect(await run()).toBe("The port is 4000.");
    expect(await booksOf(caller)).toMatchObject({ spent: ANSWER_COST });
  });

  test("in time is ended and passed over, within the deadline, and counts as paid", async () => {
    await offer("openai", "anthropic");
    server.does.openai = [{ does: "hang", parts: [] }];
    expect(await run({}, QUICK)).toBe("The port is 4000.");
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    expect(server.billed).toBe(1);
    expect(await booksOf(caller)).toMatchObject({ spent: WORST_COST + ANSWER_COST, open: 0 });
  });

  test("and falls silent in the midst of its answer is ended and settled", async () => {
    await offer("openai", "anthropic");
    server.does.openai = [{ does: "hang", parts: ["The"] }];
    expect(await reason(run({}, QUICK))).toBe("providers_unavailable");
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    expect(kindsSeen()).toEqual(["openai"]);
    expect(await booksOf(caller)).toMatchObject({ reserved: 0, open: 0 });
  });

  test("because it refuses the request is the last one: others would refuse it too, or be asked what nobody should", async () => {
    await offer("openai", "anthropic");
    server.does.openai = [{ does: "refuse", status: 400 }];
    expect(await reason(run())).toBe("request_refused");
    expect(kindsSeen()).toEqual(["openai"]);
    expect(await booksOf(caller)).toMatchObject({ spent: 0, reserved: 0 });
  });

  test("but wants to be left alone for a moment is asked once more, and paid once", async () => {
    await offer("openai");
    server.does.openai = [{ does: "refuse", status: 429, headers: { "retry-after-ms": "5" } }, ANSWER];
    expect(await run()).toBe("The port is 4000.");
    expect(server.seen).toHaveLength(2);
    expect(await booksOf(caller)).toMatchObject({ spent: ANSWER_COST });
  });

  test("and wants to be left alone for long is not waited for: the caller is told how long", async () => {
    await offer("openai");
    server.does.openai = [{ does: "refuse", status: 429, headers: { "retry-after": "30" } }];
    const failure = await run().catch((error: unknown) => error);
    expect(failure).toMatchObject({ details: { reason: "providers_unavailable", retryAfterSeconds: 30 } });
    expect(server.seen).toHaveLength(1);
    const events = await tenantQuery<{ payload: unknown }>(
      caller.principal,
      `select payload from events.outbox where tenant_id = $1 and type = 'ai.errors.occurred'`,
      [caller.tenantId],
    );
    const attempts = [{ provider: "openai", model: "m", reason: "rate_limited" }];
    expect(events).toMatchObject([{ payload: { kind: "generate", attempts } }]);
  });

  test("five times running is left alone", async () => {
    await offer("openai", "anthropic");
    server.does.openai = [{ does: "refuse", status: 500 }];
    for (let call = 0; call < 7; call++) await run();
    expect(kindsSeen().filter((kind) => kind === "openai")).toHaveLength(5);
    const owner = caller.tenantId;
    expect(["openai", "anthropic"].map((provider) => isHealthy({ provider, owner }))).toEqual([false, true]);
  });

  test("whose key is refused says so to who can mend it", async () => {
    await offer("openai");
    server.does.openai = [{ does: "refuse", status: 401 }];
    expect(await reason(run())).toBe("provider_key_refused");
  });
});

describe("a call", () => {
  test("of a model is answered by a provider that has it", async () => {
    await offer("openai", "mistral");
    expect(await run({ model: "only-mistral" })).toBe("The port is 4000.");
    expect(kindsSeen()).toEqual(["mistral"]);
    expect(await reason(run({ model: "none" }))).toBe("model_not_found");
  });

  test("without any key says how to get one", async () => {
    putBack = replaceProviders(server.providers(["openai"]));
    expect(await reason(run())).toBe("ai_not_configured");
    expect(server.seen).toEqual([]);
  });

  test("that a budget does not cover asks nobody", async () => {
    await offer("openai");
    const { putBudget } = await import("../budgets");
    const budget = { id: "b", period: "day", limitMicroUsd: WORST_COST - 1 } as const;
    await putBudget(caller.principal, budget);
    expect(await reason(run())).toBe("budget_exhausted");
    expect(server.seen).toEqual([]);
    await putBudget(caller.principal, { ...budget, limitMicroUsd: WORST_COST });
    expect(await run()).toBe("The port is 4000.");
  });

  test("whose asker leaves ends the provider's request, and what came is settled", async () => {
    await offer("openai");
    server.does.openai = [{ does: "flood" }];
    const left = new AbortController();
    const answer = await ask(caller.principal, asked({ left: left.signal }));
    const parts = answer.parts();
    await parts.next();
    left.abort();
    await expect(parts.next().then(() => parts.next())).rejects.toMatchObject({ reason: "given_up" });
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    await expect.poll(async () => (await booksOf(caller)).open).toBe(0);
    expect(await booksOf(caller)).toEqual({ spent: WORST_COST, reserved: 0, entries: WORST_COST, open: 0 });
  });

  test("whose asker leaves while the whole answer is gathered is ended and settled too", async () => {
    await offer("openai");
    server.does.openai = [{ does: "hang", parts: ["The port"] }];
    const left = new AbortController();
    const answer = await ask(caller.principal, asked({ left: left.signal }));
    const gathered = reason(collect(answer));
    left.abort();
    expect(await gathered).toBe("call_given_up");
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    await expect.poll(async () => (await booksOf(caller)).open).toBe(0);
    expect(await booksOf(caller)).toEqual({ spent: WORST_COST, reserved: 0, entries: WORST_COST, open: 0 });
  });

  test("ends and is settled when the process drains, also where nobody reads on", async () => {
    await offer("openai");
    server.does.openai = [{ does: "flood" }];
    const answer = await ask(caller.principal, asked());
    const parts = answer.parts();
    await parts.next();
    giveUpAll();
    await expect.poll(async () => (await booksOf(caller)).open).toBe(0);
    expect(await booksOf(caller)).toEqual({ spent: WORST_COST, reserved: 0, entries: WORST_COST, open: 0 });
    await expect(parts.next().then(() => parts.next())).rejects.toMatchObject({ reason: "given_up" });
  });

  test("that is read slowly makes the provider wait: nothing is gathered", async () => {
    await offer("openai");
    server.does.openai = [{ does: "flood" }];
    const answer = await ask(caller.principal, asked());
    const parts = answer.parts();
    await parts.next();
    let before = -1;
    // Once what the sockets hold is full, not a byte more is sent.
    await expect
      .poll(
        () => {
          const sent = server.seen[0]?.sentBytes ?? 0;
          const isStill = sent === before;
          before = sent;
          return isStill;
        },
        { interval: 100 },
      )
      .toBe(true);
    expect(before).toBeLessThan(30 << 20);
    await parts.return(undefined);
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    expect(await booksOf(caller)).toMatchObject({ reserved: 0, open: 0 });
  });

  test("is given up when all its time is used up", async () => {
    await offer("openai", "anthropic");
    server.does.openai = [{ does: "hang", parts: [] }];
    expect(await reason(run({}, { ...TIMINGS, totalMs: 100 }))).toBe("call_given_up");
    expect(kindsSeen()).toEqual(["openai"]);
  });

  test("is one of twenty at most of an organisation at once", async () => {
    await offer("openai");
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(caller.principal, asked())));
    expect(await reason(ask(caller.principal, asked()))).toBe("rate_limited");
    for (const answer of answers) await answer.close();
    expect(await run()).toBe("The port is 4000.");
  });
});
