// A client that has no answer sends its request again. The attack and the accident are the same: the effect happens twice,
// or somebody gets an answer that is another's.
import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { tenantIdFrom, type AuthData } from "../../security/principal";
import { concurrent } from "../../testing";
import { ANSWER_MAX_BYTES, useMasterKey } from "../answer";
import { errors } from "../errors";
import { renew } from "../leases";
import { purgeRequests } from "../upkeep";
import { addRow, countRows, endLeases, keptRows, MASTER_KEY, member, send, type Sent } from "./requests";

const caller: { current: AuthData } = vi.hoisted(() => ({ current: {} as AuthData }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

let me: AuthData & { tenantId: string };
let key: string;
beforeEach(() => {
  me = member();
  caller.current = me;
  key = randomUUID();
  useMasterKey(() => MASTER_KEY);
});

const make = async (): Promise<{ id: string }> => ({ id: await addRow(me.tenantId) });
const reason = (sent: Sent): Promise<unknown> =>
  send(sent).then(
    () => "ok",
    (error: unknown) => reasonOf(error) ?? error,
  );
const asSystem = (text: string): Promise<unknown> => systemQuery("test", text, [me.tenantId]);

describe("a key that was sent before", () => {
  test("gets the first answer: payload, status and headers, and nothing happens", async () => {
    const sent: Sent = {
      key,
      status: 201,
      header: { "x-made-by": "the first" },
      handler: async () => ({
        ...(await make()),
        at: new Date(1_700_000_000_123),
        big: 2n ** 60n,
        list: [null, { n: -0.5 }],
      }),
    };
    const first = await send(sent);
    expect(first).toMatchObject({
      status: 201,
      wasReplayed: false,
      payload: { big: 2n ** 60n, at: expect.any(Date) as Date },
    });
    expect(await send(sent)).toEqual({ ...first, wasReplayed: true });
    expect(await countRows(me.tenantId)).toBe(1);
  });

  test("is refused with another body or path, whatever the order of names and however the code names the endpoint", async () => {
    await send({ key, body: { a: 1, b: [{ c: 2, d: 3 }] }, handler: make });
    expect(await reason({ key, body: { b: [{ d: 3, c: 2 }], a: 1 }, handler: make })).toBe("ok");
    // As the next version may name it.
    const renamed = { key, body: { a: 1, b: [{ c: 2, d: 3 }] }, endpoint: "other", handler: make };
    expect(await send(renamed)).toMatchObject({ wasReplayed: true });
    for (const other of [
      { body: { a: 1, b: [{ c: 2, d: 4 }] } },
      { body: { a: "1", b: [{ c: 2, d: 3 }] } },
      { body: { a: 1, b: [{ c: 2 }, { d: 3 }] } },
      { path: "/things/1" },
    ])
      expect(await reason({ body: { a: 1, b: [{ c: 2, d: 3 }] }, ...other, key, handler: make })).toBe(
        "idempotency_key_reused",
      );
    expect(await countRows(me.tenantId)).toBe(1);
  });

  test("is told to wait while the first request is being served, and of fifty at once one has an effect", async () => {
    const outcomes = await concurrent(50, () => send({ key, handler: make }));
    const answers = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.payload] : []));
    for (const outcome of outcomes)
      if (outcome.status === "rejected")
        expect(outcome.reason).toMatchObject({
          code: "aborted",
          details: { reason: "idempotency_key_in_use", retryAfterSeconds: 1 },
        });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await countRows(me.tenantId)).toBe(1);
    expect((await send({ key, handler: make })).payload).toEqual(answers[0]);
  });

  test("belongs to one principal of one tenant", async () => {
    const seen = new Set<string>();
    const others: AuthData[] = [
      me,
      { ...me, tenantId: member().tenantId },
      { ...me, userID: member().userID },
      { ...me, actor: `operator:${member().userID}` },
      { userID: me.userID, tenantId: me.tenantId, kind: "key", scope: "document.read" },
      { userID: me.userID, sessionId: "s" },
    ];
    for (const who of others) {
      caller.current = who;
      seen.add(JSON.stringify((await send({ key, handler: make })).payload));
    }
    expect(seen.size).toBe(others.length);
    for (const who of others) {
      caller.current = who;
      expect(await send({ key, handler: make })).toMatchObject({ wasReplayed: true });
    }
  });

  test("is free again when its time is over, and is removed then", async () => {
    const first = await send({ key, handler: make });
    await asSystem("update idempotency.request set expires_at = now() - interval '1 second' where tenant_id = $1");
    const second = await send({ key, handler: make });
    expect(second.payload).not.toEqual(first.payload);
    await asSystem("update idempotency.request set expires_at = now() - interval '1 second' where tenant_id = $1");
    expect(await purgeRequests()).toBeGreaterThan(0);
    expect(await keptRows(me.tenantId)).toEqual([]);
  });
});

describe("a request without a usable key", () => {
  test("is served each time when it has none", async () => {
    await send({ handler: make });
    await send({ handler: make });
    expect(await countRows(me.tenantId)).toBe(2);
    expect(await keptRows(me.tenantId)).toEqual([]);
  });

  test.each([[""], ["a".repeat(256)], ["käse"], ["a\u0000b"], ["tab\t"], [["one", "two"]]])(
    "is refused: %j",
    async (wrong) => {
      expect(await reason({ key: wrong, handler: make })).toBe("idempotency_key_invalid");
      expect(await countRows(me.tenantId)).toBe(0);
    },
  );

  test("is served with the longest one", async () => {
    const longest = `${"~".repeat(250)} "!\\}`;
    expect(longest).toHaveLength(255);
    const first = await send({ key: longest, handler: make });
    expect(await send({ key: longest, handler: make })).toEqual({ ...first, wasReplayed: true });
  });

  test("is refused by raw endpoints, which have no answer to keep, and closed to strangers", async () => {
    expect(await reason({ key, raw: true, handler: make })).toBe("endpoint_closed");
    expect(await reason({ key, endpoint: "open", tags: ["public:test", "idempotent"], handler: make })).toBe(
      "endpoint_closed",
    );
    expect(await countRows(me.tenantId)).toBe(0);
  });
});

describe("a request that fails", () => {
  test("frees its key when it has changed nothing", async () => {
    const failing = async (): Promise<never> => {
      await tenantQuery({ tenantId: tenantIdFrom(me.tenantId) }, "select 1");
      throw errors.idempotency_key_invalid();
    };
    expect(await reason({ key, handler: failing })).toBe("idempotency_key_invalid");
    expect(await keptRows(me.tenantId)).toEqual([]);
    const rollingBack = (): Promise<never> =>
      withTenant({ tenantId: tenantIdFrom(me.tenantId) }, async (tx) => {
        await tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, 'q', 1)", [
          me.tenantId,
        ]);
        throw new Error("the body failed");
      });
    expect(await reason({ key, handler: rollingBack })).toBe("internal_error");
    expect(await reason({ key, body: "another", handler: make })).toBe("ok");
    expect(await countRows(me.tenantId)).toBe(1);
  });

  test("answers the same error again when it has changed something", async () => {
    const failing = async (): Promise<never> => {
      await make();
      throw errors.idempotency_key_invalid({ fields: { a: "is wrong" } });
    };
    const error = await send({ key, handler: failing }).catch((thrown: unknown) => thrown);
    const again = await send({ key, handler: failing }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "invalid_argument", details: { fields: { a: "is wrong" } } });
    const shown = ({ code, message, details }: { code?: string; message?: string; details?: unknown }) => [
      code,
      message,
      details,
    ];
    expect(shown(again as object)).toEqual(shown(error as object));
    expect(await countRows(me.tenantId)).toBe(1);
  });

  test("is a fault of the endpoint when its answer cannot be written down, and nothing is kept of its effect", async () => {
    const odd = async (): Promise<unknown> => ({ ...(await make()), map: new Map() });
    expect(await reason({ key, handler: odd })).toBe("internal_error");
    expect(await reason({ key, handler: odd })).toBe("internal_error");
    expect(await countRows(me.tenantId)).toBe(1);
  });
});

describe("effect and answer", () => {
  test("are one commit: while the endpoint is not over nothing of it is to be seen", async () => {
    let between = -1;
    const handler = async (): Promise<unknown> => {
      const made = await make();
      // Not of this request: nobody else sees the row before the answer is there too.
      between = await outside(() => countRows(me.tenantId));
      return made;
    };
    await send({ key, handler });
    const [server] = await systemQuery<{ version: string }>("test", "select version() as version");
    // The embedded database has one session: there the look from outside waits until the hold has ended.
    expect(between).toBe(server?.version.includes("wasm") === true ? 1 : 0);
    expect(await countRows(me.tenantId)).toBe(1);
    expect(await keptRows(me.tenantId)).toMatchObject([{ isAnswered: true }]);
  });

  test("are marked apart where a request has several transactions, of whatever scope", async () => {
    const seen: unknown[] = [];
    const handler = async (): Promise<unknown> => {
      const [row] = await tenantQuery<{ n: number }>({ tenantId: tenantIdFrom(me.tenantId) }, "select 1 as n");
      seen.push(row, (await keptRows(me.tenantId))[0]?.hasEffect);
      await make();
      seen.push((await keptRows(me.tenantId))[0]?.hasEffect);
      await withSystem("test", (tx) =>
        tx.execute("insert into queues.tenant_turn values ($1, 'system', 1)", [me.tenantId]),
      );
      return { ok: true };
    };
    await send({ key, handler });
    expect(seen).toEqual([{ n: 1 }, false, true]);
    expect(await send({ key, handler })).toMatchObject({ payload: { ok: true }, wasReplayed: true });
    expect(await countRows(me.tenantId)).toBe(2);
  });

  test("of transactions side by side are all there", async () => {
    const handler = async (): Promise<unknown> => Promise.all([make(), make(), make()]);
    const { payload } = await send({ key, handler });
    expect((await send({ key, handler })).payload).toEqual(payload);
    expect(await countRows(me.tenantId)).toBe(3);
  });

  test("are of whoever has the lease: a request that was overtaken changes nothing", async () => {
    let overtaking: unknown;
    const slow = async (): Promise<unknown> => {
      await outside(() => endLeases(me.tenantId));
      overtaking = await outside(() => send({ key, handler: make }));
      return make();
    };
    expect(await reason({ key, handler: slow })).toBe("idempotency_key_in_use");
    expect(await countRows(me.tenantId)).toBe(1);
    expect(await send({ key, handler: make })).toMatchObject({
      payload: (overtaking as { payload: unknown }).payload,
      wasReplayed: true,
    });
  });

  test("are one request's for as long as two renewals may wait for a connection", async () => {
    const leaseMs = async (): Promise<number> => {
      const [row] = await systemQuery<{ ms: number }>(
        "test",
        "select (extract(epoch from leased_until - now()) * 1000)::float8 as ms from idempotency.request where tenant_id = $1",
        [me.tenantId],
      );
      return row?.ms ?? 0;
    };
    let [claimed, renewed] = [0, 0];
    const handler = async (): Promise<unknown> => {
      claimed = await outside(leaseMs);
      await outside(() => endLeases(me.tenantId));
      await outside(renew);
      renewed = await outside(leaseMs);
      return {};
    };
    await send({ key, handler });
    // A renewal begins every three seconds, and waits ten for its connection.
    for (const ms of [claimed, renewed]) expect(ms).toBeGreaterThan(2 * 10_000 + 3_000);
  });

  test("a request that died before its effect runs again, one that died behind it never", async () => {
    const dying = (act: () => Promise<unknown>): Promise<void> =>
      new Promise((resolve) => {
        const handler = async (): Promise<never> => {
          await act();
          resolve();
          return new Promise<never>(() => undefined);
        };
        void send({ key, handler });
      });
    await dying(() => Promise.resolve());
    expect(await reason({ key, handler: make })).toBe("idempotency_key_in_use");
    await endLeases(me.tenantId);
    // Its transaction was held, and has committed without an answer when the hold ended.
    await dying(make);
    await expect.poll(() => keptRows(me.tenantId)).toMatchObject([{ hasEffect: true, isAnswered: false }]);
    expect(await reason({ key, handler: make })).toBe("idempotency_key_in_use");
    await endLeases(me.tenantId);
    expect(await reason({ key, handler: make })).toBe("idempotency_answer_unknown");
    expect(await reason({ key, body: "another", handler: make })).toBe("idempotency_key_reused");
    expect(await countRows(me.tenantId)).toBe(1);
  });

  test("an answer that is too large is given once, and its effect happens once", async () => {
    const large = async (): Promise<unknown> => ({ ...(await make()), text: "x".repeat(ANSWER_MAX_BYTES) });
    expect((await send({ key, handler: large })).payload).toMatchObject({ text: expect.any(String) as string });
    expect(await reason({ key, handler: large })).toBe("idempotency_answer_unknown");
    expect(await countRows(me.tenantId)).toBe(1);
    const fits = async (): Promise<unknown> => Promise.resolve({ text: "ü".repeat((ANSWER_MAX_BYTES - 200) / 2) });
    const first = await send({ key: randomUUID(), handler: fits });
    expect(first.payload).toMatchObject({ text: expect.any(String) as string });
  });
});

describe("a secret in an answer", () => {
  const secret = "gw_live_0123456789abcdefghijklmnopqrstuvwxyz";
  const makeKey = async (): Promise<unknown> => Promise.resolve({ key: secret });

  test("is nowhere in the table, and is given again to whoever asked for it with the same key", async () => {
    await send({ key, handler: makeKey });
    const [row] = await systemQuery<Record<string, unknown>>(
      "test",
      "select * from idempotency.request where tenant_id = $1",
      [me.tenantId],
    );
    const stored = Object.values(row ?? {}).map((value) =>
      Buffer.isBuffer(value) ? value : Buffer.from(String(value)),
    );
    expect(stored.length).toBeGreaterThan(8);
    for (const value of stored) for (const text of [secret, key]) expect(value.includes(text)).toBe(false);
    expect((await send({ key, handler: makeKey })).payload).toEqual({ key: secret });
  });

  test("opens with the master key it was sealed with, as long as that is in the list", async () => {
    await send({ key, handler: makeKey });
    useMasterKey(() => `another-master-key-of-at-least-32-characters ${MASTER_KEY}`);
    expect((await send({ key, handler: makeKey })).payload).toEqual({ key: secret });
    useMasterKey(() => "another-master-key-of-at-least-32-characters");
    expect(await reason({ key, handler: makeKey })).toBe("idempotency_answer_unknown");
  });

  test("does not open in the place of another's", async () => {
    await send({ key, handler: makeKey });
    const thief = member();
    await systemQuery("test", "update idempotency.request set tenant_id = $2, principal = $3 where tenant_id = $1", [
      me.tenantId,
      thief.tenantId,
      `user:${thief.userID}`,
    ]);
    caller.current = thief;
    expect(await reason({ key, handler: makeKey })).toBe("idempotency_answer_unknown");
  });
});

/** As another request would do it: nothing of the one that is being served follows along. */
const outside = <T>(fn: () => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    elsewhere.push(() => void fn().then(resolve, reject));
  });
const elsewhere: (() => void)[] = [];
setInterval(() => elsewhere.splice(0).forEach((act) => act()), 1).unref();
