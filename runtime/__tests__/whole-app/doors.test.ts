// The doors that depend on who stands between a client and the process, over HTTP and in production: metrics, the mailbox,
// which there is none of, and the address that limits count by. Two processes of one build: as it comes, and with a token and a declared proxy.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { AppProcess, PreparedApp } from "../../http/__tests__/support/app-process";
import type { AppModel } from "../../model";
import { prepareGuardedApp } from "./support/guarded-app";

/** Of the hundred anonymous requests a minute. */
const QUOTA = 5;
const counted = [200, 200, 200, 200, 200, 429, 429];

let prepared: PreparedApp;
let app: AppProcess | undefined;

beforeAll(async () => {
  prepared = await prepareGuardedApp({
    env: { NODE_ENV: "production", LIMIT_SCALE: String(QUOTA / 100) },
    config: {
      environment: { name: "production", type: "production", cloud: "local" },
      includeInternalMessage: false,
    },
  });
});
afterAll(() => prepared?.remove());

async function stop(): Promise<void> {
  await app?.stop();
  app = undefined;
}

async function ask(path: string, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${prepared.port}${path}`, { headers });
  await answer.arrayBuffer();
  return answer.status;
}

/** The statuses of two requests more than the quota allows. */
async function statusesOf(addressOf: (i: number) => string): Promise<number[]> {
  const statuses = [];
  for (let i = 0; i < counted.length; i++) statuses.push(await ask("/opened", { "x-forwarded-for": addressOf(i) }));
  return statuses;
}

describe("in production, as it comes", () => {
  beforeAll(async () => void (app = await prepared.start()));
  afterAll(stop);

  test.each<Record<string, string>>([{}, { authorization: "Bearer " }, { "x-forwarded-for": "127.0.0.1" }])(
    "metrics are closed to everybody (%j)",
    async (headers) => {
      expect(await ask("/metrics", headers)).toBe(403);
    },
  );

  test("a proxy that is not declared is told of once, and all its callers are counted together", async () => {
    expect(await statusesOf((i) => `203.0.113.${i}`)).toEqual(counted);
    expect(app?.log().match(/set TRUSTED_PROXIES.*127\.0\.0\.1/g)).toHaveLength(1);
  });
});

describe("in production, with a token and a declared proxy", () => {
  const token = "a-token-of-some-length";
  beforeAll(async () => void (app = await prepared.start({ METRICS_TOKEN: token, TRUSTED_PROXIES: "127.0.0.0/8" })));
  afterAll(stop);

  test("metrics open for the whole token only, however often they are scraped", async () => {
    for (const wrong of [`${token}x`, token.slice(1), "", "x"])
      expect(await ask("/metrics", { authorization: `Bearer ${wrong}` }), wrong).toBe(403);
    for (let i = 0; i < 2 * QUOTA; i++) expect(await ask("/metrics", { authorization: `Bearer ${token}` })).toBe(200);
  });

  test.each(["/mail", "/mail/messages", "/mail/messages/01890000-0000-7000-8000-000000000000"])(
    "there is no %s, not even for this machine's own networks: each is answered as a path that leads nowhere, byte for byte",
    async (path) => {
      const whole = async (method: string, at: string): Promise<unknown> => {
        const headers = { "x-forwarded-for": "10.2.3.4", authorization: "Bearer gw_nobody's" };
        const answer = await fetch(`http://127.0.0.1:${prepared.port}${at}`, { method, headers });
        const named = [...answer.headers].filter(([name]) => name !== "date");
        return { status: answer.status, headers: named, text: await answer.text() };
      };
      // What such an endpoint would refuse, answer in another way or count, a path that leads nowhere does not.
      for (const [method, query] of [
        ["GET", ""],
        ["GET", "?limit=many&cursor=x"],
        ["HEAD", ""],
        ["POST", ""],
        ["OPTIONS", ""],
      ] as const) {
        const answer = await whole(method, path + query);
        expect(answer, method).toEqual(await whole(method, path.replace("mail", "nowhere") + query));
        if (method === "GET") expect(answer).toMatchObject({ status: 404 });
      }
      for (let i = 0; i < 2 * QUOTA; i++) expect(await ask(path)).toBe(404);
    },
  );

  test("what is answered so is the mailbox, and the sign-in by the link that a start prints", () => {
    const model = JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel;
    const ofDevelopment = model.services
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ tags }) => tags.includes("development"));
    expect(ofDevelopment.map(({ exportName }) => exportName).sort()).toEqual([
      "getMessage",
      "listMessages",
      "mailbox",
      "operatorLinkLogin",
    ]);
  });

  test.each<[string, (i: number) => string, string]>([
    ["with a port", (i) => `203.0.113.9:${50_000 + i}`, "203.0.113.10:40000"],
    ["in brackets, with a port", (i) => `[2001:db8:5:5::1]:${50_000 + i}`, "[2001:db8:6:6::1]:40000"],
    ["IPv4 inside IPv6", () => "::ffff:cb00:7133", "::ffff:cb00:7134"],
  ])("limits count the client that the proxy names, %s", async (_what, first, second) => {
    expect(await statusesOf(first)).toEqual(counted);
    expect(await ask("/opened", { "x-forwarded-for": second })).toBe(200);
    expect(app?.log()).not.toContain("TRUSTED_PROXIES");
  });
});
