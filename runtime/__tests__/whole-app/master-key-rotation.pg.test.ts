// The master key is replaced, by the documented way, under two replicas of the app that serve throughout: each is restarted by
// itself while the other goes on, so that for a while they hold different keys. No request fails, and what was sealed before
// opens on both at each step: secrets of organisations, authenticator apps, signing keys, challenges. One replica has the
// master key as it is, the other as ciphertexts of a transit engine. Then the key is retired, and refused.
import { randomBytes } from "node:crypto";
import { URI, type TOTP } from "otpauth";
import { afterAll, beforeAll, expect, test } from "vitest";
import { retireMasterKeyByCommand } from "../../../auth/key-commands";
import { resealSigningKeys } from "../../../auth/key-rotation";
import { resealTotp } from "../../../auth/factors/reseal";
import { sealedCount } from "../../../auth/store/sealed";
import { startAudit } from "../../../audit/key";
import { resealHeads } from "../../../audit/sealing";
import { auditSealedCount } from "../../../audit/store/seals";
import { verifyLog } from "../../../audit/verify-logs";
import { AppDB } from "../../../database";
import { useMasterKey as useForRows } from "../../../db/capability";
import type { SealedRows } from "../../../db/master-keys";
import { requestSealedCount } from "../../../idempotency/store";
import { tenantKeySealedCount } from "../../../secrets/store";
import { useMasterKey as useForSecrets } from "../../../secrets/tenant-keys";
import { rewrapTenantKeys } from "../../../secrets/upkeep";
import { keyIdOf, masterKeyOfTests } from "../../../security/derived-key";
import { masterKeyset } from "../../../security/envelope";
import { startTransitEngine, type StartedEngine } from "../../secrets/__tests__/transit-engine";
import { sealValue } from "../../secrets/transit";
import { withVault } from "../../secrets/vault-client";
import { type RunningApp, startApp, temporaryStateDir, until } from "./support/running-app";

const FIRST = masterKeyOfTests?.() ?? "";
const SECOND = randomBytes(32).toString("base64url");
const PASSWORD = "a passphrase of many words";
const CLIENTS = 4;
/** One for each replica after each restart: a code counts once. */
const APPS = 14;

const states = [temporaryStateDir(), temporaryStateDir()];
let transit: StartedEngine;
/** By place; undefined while it is restarted. */
const replicas: (RunningApp | undefined)[] = [];
const serving = (): RunningApp[] => replicas.filter((replica) => replica !== undefined);

beforeAll(async () => {
  transit = await startTransitEngine();
  await Promise.all(states.map((_state, place) => start(place, [FIRST])));
}, 240_000);
afterAll(async () => {
  await Promise.all(serving().map((replica) => replica.killTree()));
  transit.close();
  for (const state of states) state.remove();
});

const environment = async (place: number, keys: readonly string[]): Promise<Record<string, string>> => {
  const common = {
    ...{ DATABASE_URL: AppDB.connectionString, LIMIT_SCALE: "1000000", LOG_LEVEL: "error", DB_POOL_MAX: "8" },
  };
  if (place === 0) return { ...common, MasterKey: keys.join(",") };
  const sealed = await withVault(transit.env, (session) =>
    Promise.all(keys.map((key) => sealValue(transit.env, "MasterKey", key, session))),
  );
  return { ...common, ...transit.env, MasterKey: sealed.join("\n") };
};
async function start(place: number, keys: readonly string[]): Promise<void> {
  replicas[place] = await startApp(states[place]?.path ?? "", await environment(place, keys));
}
/** Out of the line first, as a balancer does by its readiness; what is under way is answered. */
async function restart(place: number, keys: readonly string[]): Promise<void> {
  const before = replicas[place];
  replicas[place] = undefined;
  expect(await before?.stop(), before?.output()).toBe(0);
  await start(place, keys);
}

interface Answer {
  status: number;
  body: { [name: string]: unknown };
}
async function ask(at: RunningApp, call: string, token?: string, body?: object): Promise<Answer> {
  const [method = "", path = ""] = call.split(" ");
  const response = await fetch(`${at.baseUrl}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as Answer["body"] };
}
/** Of a call that has to succeed. */
async function done(...asked: Parameters<typeof ask>): Promise<Answer["body"]> {
  const { status, body } = await ask(...asked);
  if (status !== 200) throw new Error(`${asked[1]}: ${status} ${JSON.stringify(body)}`);
  return body;
}

interface Tokens {
  accessToken: string;
  refreshToken: string;
}
let people = 0;
const file = crypto.randomUUID().slice(0, 8);
async function register(at: RunningApp): Promise<Tokens & { email: string }> {
  const email = `person${++people}-${file}@example.com`;
  const made = await done(at, "POST /auth/register", undefined, { email, password: PASSWORD, organisation: "Acme" });
  return { ...(made as unknown as Tokens), email };
}

interface WithApp {
  email: string;
  app: TOTP;
}
const codeOf = (app: TOTP, offsetMs = 0): string => app.generate({ timestamp: Date.now() + offsetMs });
/** A person with an authenticator app, confirmed by the code before the present one. */
async function enrol(at: RunningApp): Promise<WithApp> {
  const { email, accessToken } = await register(at);
  const { uri } = await done(at, "POST /auth/factors/totp", accessToken, {});
  const app = URI.parse(uri as string) as TOTP;
  await confirm(at, accessToken, app);
  return { email, app };
}
/** By the code before the present one, which is too old if the next began while it was on its way: then by that one's. */
async function confirm(at: RunningApp, accessToken: string, app: TOTP): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const body = { code: codeOf(app, -30_000) };
    const { status } = await ask(at, "POST /auth/factors/totp/confirm", accessToken, body);
    if (status === 200) return;
    if (attempt === 3) throw new Error(`the app is not confirmed: ${status}`);
  }
}
/** Begun at one replica and ended at another: the challenge between the two is sealed. */
async function signInWithApp({ email, app }: WithApp, first: RunningApp, then: RunningApp): Promise<Tokens> {
  const asked = await ask(first, "POST /auth/login", undefined, { email, password: PASSWORD });
  expect(asked).toMatchObject({ status: 401, body: { details: { reason: "second_factor_required" } } });
  const { challenge } = (asked.body as { details: { challenge: string } }).details;
  const body = { challenge, code: codeOf(app) };
  return (await done(then, "POST /auth/login/second-factor", undefined, body)) as unknown as Tokens;
}

/** Goes on until it is ended: each client's next request goes to whichever replica serves. */
class Traffic {
  readonly wrong: string[] = [];
  readonly done: Record<string, number> = {};
  private isOver = false;
  private readonly running: Promise<void>[] = [];

  begin(client: Tokens & { key: string }): void {
    this.running.push(this.run(client));
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
  }

  private async run(client: Tokens & { key: string }): Promise<void> {
    for (let n = 0; !this.isOver; n++) {
      const at = serving()[n % serving().length];
      if (at === undefined) throw new Error("no replica serves");
      const [what, act] = this.next(client, at, n);
      await act().then(
        () => (this.done[what] = (this.done[what] ?? 0) + 1),
        (error: Error) =>
          this.wrong.push(`${error.message}${error.cause === undefined ? "" : ` (${String(error.cause)})`}`),
      );
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  private next(client: Tokens & { key: string }, at: RunningApp, n: number): [string, () => Promise<unknown>] {
    if (n % 10 === 3)
      return [
        "refreshed",
        async () => {
          const { refreshToken } = client;
          Object.assign(client, await done(at, "POST /auth/refresh", undefined, { refreshToken }));
        },
      ];
    if (n % 10 === 6) return ["by key", () => done(at, "GET /auth/me", client.key)];
    if (n % 10 === 9)
      return ["stored", () => done(at, `PUT /secrets/s${n % 3}`, client.accessToken, { value: `value ${n}` })];
    return ["by token", () => done(at, "GET /auth/me", client.accessToken)];
  }
}

/** What was sealed at the start, and by whom it is looked for. */
interface Sealed {
  owner: Tokens & { email: string };
  key: string;
  apps: WithApp[];
}

/** Everything opens at each replica that serves, whichever of them sealed it. */
async function assertAllOpens({ owner, key, apps }: Sealed): Promise<void> {
  const all = serving();
  for (const at of all) {
    const other = all.find((replica) => replica !== at) ?? at;
    expect(await done(at, "GET /auth/me", owner.accessToken)).toMatchObject({ user: { email: owner.email } });
    expect(await done(at, "GET /auth/me", key)).toMatchObject({ kind: "key" });
    // Opens each secret of the organisation, and seals it again.
    expect(await done(at, "POST /secrets/rotate-key", owner.accessToken, {})).toEqual({ secrets: 2 });
    const { refreshToken } = owner;
    Object.assign(owner, await done(at, "POST /auth/refresh", undefined, { refreshToken }));
    const known = apps.pop();
    if (known === undefined) throw new Error("more checks than people with an app");
    for (const person of [known, await enrol(at)]) {
      const { accessToken } = await signInWithApp(person, at, other);
      for (const replica of all)
        expect(await done(replica, "GET /auth/me", accessToken)).toMatchObject({ user: { email: person.email } });
    }
  }
}

const sealedRows = async (): Promise<SealedRows[]> => [
  ...(await sealedCount()),
  ...(await tenantKeySealedCount()),
  ...(await requestSealedCount()),
  ...(await auditSealedCount()),
];
const idOf = (key: string): string => keyIdOf(key).toString("hex");
const sealedBy = async (key: string): Promise<string[]> =>
  (await sealedRows()).filter(({ keyId, rows }) => keyId === idOf(key) && Number(rows) > 0).map(({ what }) => what);

test("a master key is replaced under two replicas without a failed request, and what it sealed opens until it is retired", async () => {
  const [one] = serving();
  if (one === undefined) throw new Error("no replica serves");
  const owner = await register(one);
  const { organisation } = (await done(one, "GET /auth/me", owner.accessToken)) as { organisation: { id: string } };
  for (const name of ["a", "b"]) await done(one, `PUT /secrets/${name}`, owner.accessToken, { value: "of before" });
  const { key } = await done(one, "POST /auth/api-keys", owner.accessToken, { name: "k" });
  const apps: WithApp[] = [];
  for (let n = 0; n < APPS; n++) apps.push(await enrol(one));
  const sealed: Sealed = { owner, key: key as string, apps };
  const traffic = new Traffic();
  for (let n = 0; n < CLIENTS; n++) {
    const client = await register(one);
    const made = await done(one, "POST /auth/api-keys", client.accessToken, { name: "k" });
    traffic.begin({ ...client, key: made.key as string });
  }
  await assertAllOpens(sealed);
  for (const keys of [
    [FIRST, SECOND],
    [SECOND, FIRST],
  ])
    for (const place of replicas.keys()) {
      await restart(place, keys);
      await assertAllOpens(sealed);
    }
  expect(await sealedBy(FIRST)).not.toEqual([]);
  // What the hourly upkeep does, with both keys.
  const both = `${SECOND},${FIRST}`;
  useForRows(() => both);
  useForSecrets(() => both);
  await resealSigningKeys(both);
  await resealTotp(masterKeyset(both, "totp secrets"));
  await rewrapTenantKeys();
  startAudit("audit", () => both);
  await resealHeads();
  expect(await sealedBy(FIRST)).toEqual([]);
  for (const place of replicas.keys()) {
    await restart(place, [SECOND]);
    await assertAllOpens(sealed);
  }
  expect(await retireMasterKeyByCommand(idOf(FIRST), await sealedRows())).toBeGreaterThan(0);
  await until("each kind of request goes on", () => {
    const before = (traffic.done["by token"] ?? 0) + 1;
    return before > 50 && ["refreshed", "by key", "stored"].every((what) => (traffic.done[what] ?? 0) > 5);
  });
  await traffic.end();
  // What both replicas wrote to the log, each time with another key, is under a seal to its last entry.
  const log = await verifyLog(organisation.id);
  expect(log).toMatchObject({ broken: [], unsealed: [] });
  expect(log?.entries).toBeGreaterThan(6);
  process.stdout.write(`master key rotation: ${JSON.stringify(traffic.done)}, 6 restarts\n`);
  expect(traffic.wrong).toEqual([]);

  // It comes in no more, neither alone nor in front.
  for (const keys of [[FIRST], [FIRST, SECOND]]) {
    const state = temporaryStateDir();
    const late = await startApp(state.path, await environment(0, keys));
    try {
      await until("it says why", () => late.output().includes(`the master key ${idOf(FIRST)}`));
      expect(late.output()).toContain("was retired on this database: put the one that replaced it first");
      expect((await ask(late, "GET /auth/me", owner.accessToken)).status).toBeGreaterThanOrEqual(500);
      expect((await ask(late, "GET /readyz")).status).toBe(503);
    } finally {
      await late.killTree();
      state.remove();
    }
  }
}, 400_000);
