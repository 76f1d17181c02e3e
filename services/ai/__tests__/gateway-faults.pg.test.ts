// Whose fault what goes wrong is, what it costs, and who is asked next: a server that speaks the providers' protocols, and faults
// that never reach it (provider-server.ts).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { putSecret } from "../../../secrets/tenant-secret";
import { reasonOf } from "../../../security/errors";
import { createCaller, type Caller } from "../../../testing";
import { collect } from "../collect";
import { ask, type Asked } from "../gateway";
import { isHealthy, resetBreakers } from "../providers/breakers";
import { replaceProviders, secretNameOf } from "../providers/registry";
import { enterProvider } from "../turns";
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
beforeEach(() => {
  resetBreakers();
  caller = createCaller("owner");
  for (const kind of ["openai", "anthropic", "mistral", "compatible"] as const) server.does[kind] = [ANSWER];
  server.seen.length = 0;
});
afterEach(() => putBack());

const ownKeys = async (who: Caller, kinds: readonly Kind[], key = "key-of-ours"): Promise<void> => {
  for (const kind of kinds) await putSecret(who.principal, secretNameOf(kind), key);
};

async function offer(...kinds: Kind[]): Promise<void> {
  putBack = replaceProviders(server.providers(kinds));
  await ownKeys(caller, kinds);
}

/** OpenAI alone, with a model of this name. */
async function offerModel(name: string): Promise<void> {
  const declared = server.providers(["openai"]).map(({ models, ...provider }) => ({
    ...provider,
    models: models.slice(0, 1).map((model) => ({ ...model, name })),
  }));
  putBack = replaceProviders(declared);
  await ownKeys(caller, ["openai"]);
}

const REQUEST = { messages: [{ role: "user" as const, content: "Which port?" }], maxOutputTokens: 1_000 };
const WORST = worstCase(REQUEST);
const WORST_COST = WORST.inputTokens + 2 * WORST.outputTokens;
const ANSWER_COST = INPUT_TOKENS + 2 * 3;

const run = async (request: Asked["request"] = REQUEST, who = caller): Promise<string> =>
  (await collect(await ask(who.principal, { kind: "generate", request }))).text;
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const reason = async (promise: Promise<unknown>): Promise<string | undefined> => reasonOf(await failureOf(promise));
const kindsSeen = (): Kind[] => server.seen.map(({ kind }) => kind);
const ofCaller = (provider: string): { provider: string; owner: string } => ({ provider, owner: caller.tenantId });

describe("an answer that is cut off", () => {
  test.each([
    // Eight bytes came, and 256 tokens may have been under way.
    ["shows all that it bills", "gpt-4o-mini", WORST.inputTokens + 2 * (8 + 256)],
    ["may have thought without a word", "gpt-5", WORST_COST],
    ["nobody knows", "m", WORST_COST],
  ])("of a model that %s costs what it may have cost", async (_what, name, cost) => {
    await offerModel(name);
    server.does.openai = [{ does: "cut", parts: ["The port"] }];
    expect(await failureOf(run())).toMatchObject({ details: { reason: "providers_unavailable", retryable: false } });
    expect(await booksOf(caller)).toEqual({ spent: cost, reserved: 0, entries: cost, open: 0 });
  });
});

describe("what goes wrong before anything has left", () => {
  test("for a key that no header can carry costs nothing, and is the key's fault alone", async () => {
    await offer("openai");
    await ownKeys(caller, ["openai"], "ключ");
    for (let call = 0; call < 6; call++) expect(await reason(run())).toBe("provider_key_refused");
    expect(server.seen).toEqual([]);
    expect(await booksOf(caller)).toMatchObject({ spent: 0, reserved: 0, open: 0 });
    expect(isHealthy(ofCaller("openai"))).toBe(true);
  });

  test("for a request that cannot be written costs nothing, and is no provider's fault", async () => {
    await offer("openai", "mistral");
    const toolCalls = [{ id: "c", name: "f", input: "no JSON" }];
    const messages = [
      ...REQUEST.messages,
      { role: "assistant" as const, content: "", toolCalls },
      { role: "tool" as const, content: "x", toolCallId: "c", toolName: "f" },
    ];
    for (let call = 0; call < 6; call++) expect(await reason(run({ ...REQUEST, messages }))).toBe("request_refused");
    expect(server.seen).toEqual([]);
    expect(await booksOf(caller)).toMatchObject({ spent: 0, reserved: 0, open: 0 });
    expect(isHealthy(ofCaller("openai"))).toBe(true);
    expect(await run()).toBe("The port is 4000.");
  });

  test("for a setting that the model does not take is told, instead of an answer to another question", async () => {
    await offerModel("gpt-5");
    expect(await reason(run({ ...REQUEST, temperature: 0.2 }))).toBe("request_refused");
    expect(server.seen).toEqual([]);
    expect(await booksOf(caller)).toMatchObject({ spent: 0, reserved: 0, open: 0 });
    expect(await run()).toBe("The port is 4000.");
  });

  test("is not a schema: a server of the OpenAI protocol gets it where the caller counts on it", async () => {
    await offer("compatible");
    const jsonSchema = { type: "object", properties: { port: { type: "integer" } } };
    await run({ ...REQUEST, jsonSchema });
    await run({ ...REQUEST, jsonSchema, isSchemaTold: true });
    expect(server.seen.map(({ body }) => body.response_format)).toMatchObject([
      { type: "json_schema", json_schema: { schema: jsonSchema } },
      { type: "json_object" },
    ]);
  });

  test("is nothing where the model takes all that was set", async () => {
    for (const kind of ["openai", "anthropic", "mistral", "compatible"] as const) {
      await offer(kind);
      expect(await run({ ...REQUEST, temperature: 0.2, stop: ["END"] })).toBe("The port is 4000.");
      putBack();
    }
  });
});

describe("a provider that fails for one organisation", () => {
  test("is left alone by that one, and by nobody else", async () => {
    await offer("openai");
    const other = createCaller("owner");
    await ownKeys(other, ["openai"]);
    server.does.openai = [{ does: "refuse", status: 500 }];
    for (let call = 0; call < 6; call++) await failureOf(run());
    expect(isHealthy(ofCaller("openai"))).toBe(false);
    expect(server.seen).toHaveLength(5);
    server.does.openai = [ANSWER];
    expect(await run(REQUEST, other)).toBe("The port is 4000.");
    expect(isHealthy({ provider: "openai", owner: other.tenantId })).toBe(true);
    expect(await reason(run())).toBe("providers_unavailable");
  });
});

describe("a provider that has its fill", () => {
  test("is passed over for the next one", async () => {
    await offer("openai", "anthropic");
    const leaves = Array.from({ length: 200 }, (_, n) => enterProvider("openai", `organisation ${n}`));
    expect([leaves.every(Boolean), enterProvider("openai", "one more")]).toEqual([true, undefined]);
    try {
      expect(await run()).toBe("The port is 4000.");
    } finally {
      for (const leave of leaves) leave?.();
    }
    expect(kindsSeen()).toEqual(["anthropic"]);
    expect(await booksOf(caller)).toMatchObject({ spent: ANSWER_COST, reserved: 0, open: 0 });
    expect(await run()).toBe("The port is 4000.");
    expect(kindsSeen()).toEqual(["anthropic", "openai"]);
  });
});

describe("organisations that take all the turns with a provider that they may", () => {
  test("leave a fair share to others, and what has ended is theirs again", async () => {
    const of = (organisation: string): (() => void)[] => {
      const leaves: (() => void)[] = [];
      for (let leave = enterProvider("openai", organisation); leave; leave = enterProvider("openai", organisation))
        leaves.push(leave);
      return leaves;
    };
    const greedy = Array.from({ length: 32 }, (_, n) => of(`organisation ${n}`));
    expect(greedy.map(({ length }) => length).slice(0, 12)).toEqual([20, 20, 20, 20, 20, 20, 15, 8, 4, 2, 1, 1]);
    await offer("openai");
    expect(await run()).toBe("The port is 4000.");
    for (const leave of greedy.flat()) leave();
    const again = of("organisation 31");
    expect(again).toHaveLength(20);
    for (const leave of again) leave();
  });
});

describe("providers that want to be left alone", () => {
  test("are waited for one by one: who wants long holds up nobody who wants a moment, and is not asked again", async () => {
    await offer("mistral", "openai");
    server.does.mistral = [{ does: "refuse", status: 429, headers: { "retry-after": "30" } }];
    server.does.openai = [{ does: "refuse", status: 429, headers: { "retry-after-ms": "5" } }, ANSWER];
    expect(await run()).toBe("The port is 4000.");
    expect(kindsSeen()).toEqual(["mistral", "openai", "openai"]);
  });

  test("are not asked again where one wants long and the other failed otherwise", async () => {
    await offer("openai", "mistral");
    server.does.openai = [{ does: "refuse", status: 429, headers: { "retry-after": "30" } }];
    server.does.mistral = [{ does: "refuse", status: 500 }];
    expect(await reason(run())).toBe("providers_unavailable");
    expect(kindsSeen()).toEqual(["openai", "mistral"]);
  });
});

describe("an error", () => {
  test("says that repeating may pay again, where somebody may have been paid", async () => {
    await offer("openai");
    server.does.openai = [{ does: "refuse", status: 502 }];
    const failure = await failureOf(run());
    expect(failure).toMatchObject({ details: { reason: "providers_unavailable", retryable: false } });
    expect(failure).not.toHaveProperty("details.retryAfterSeconds");
  });

  test("says when to repeat, where nobody was paid", async () => {
    await offer("openai");
    server.does.openai = [{ does: "refuse", status: 500 }];
    const failure = await failureOf(run());
    expect(failure).toMatchObject({ details: { reason: "providers_unavailable", retryAfterSeconds: 15 } });
    expect(failure).not.toHaveProperty("details.retryable");
  });
});
