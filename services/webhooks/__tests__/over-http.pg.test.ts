// The walkthrough of the README, as it stands there: from a sign-in to a webhook that the public library verifies.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";
import { answering, startReceiver, type Receiver } from "./receiver";

const state = migratedStateDir();
let app: RunningApp;
let receiver: Receiver;
let token = "";

beforeAll(async () => {
  receiver = await startReceiver();
  app = await startApp(state.path, { LIMIT_SCALE: "1000" });
  const registered = await fetch(`${app.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.com", password: "a passphrase of many words", organisation: "Ada" }),
  });
  ({ accessToken: token } = (await registered.json()) as { accessToken: string });
});
afterAll(async () => {
  await app?.killTree();
  receiver?.close();
  state.remove();
});

const get = async (path: string): Promise<Record<string, unknown>> =>
  (await (await fetch(`${app.baseUrl}${path}`, { headers: { authorization: `Bearer ${token}` } })).json()) as Record<
    string,
    unknown
  >;

/** What each of the commands of the README's block answers. */
async function runCommands(block: number): Promise<Record<string, unknown>[]> {
  const page = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const commands = [...page.matchAll(/^```sh\n([^`]*)^```$/gm)][block]?.[1] ?? "";
  const script = commands.replaceAll("localhost:4000", app.baseUrl).replaceAll("\n", "; echo\n");
  const env = { ...process.env, TOKEN: token, RECEIVER: receiver.url };
  const { stdout } = await promisify(execFile)("bash", ["-c", script], { env, timeout: 60_000 });
  const answers = stdout.trim().split("\n");
  return answers.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a signed webhook arrives, as the README says, and its endpoint is disabled when it says that it is gone", async () => {
  const [endpoint, asset] = (await runCommands(0)) as [Record<string, string>, Record<string, string>];
  await until("a webhook", () => receiver.received.length > 0);
  const [{ headers, body }] = receiver.received as [(typeof receiver.received)[number]];
  const event = new Webhook(endpoint.secret!).verify(body, headers as Record<string, string>);
  expect(event).toMatchObject({
    type: "assets.asset.uploaded",
    version: 1,
    data: { assetId: asset.id, name: "hello.txt" },
  });
  const path = `/webhooks/endpoints/${endpoint.id}`;
  await until(
    "an attempt in the log",
    async () => ((await get(`${path}/attempts`)).attempts as unknown[]).length === 1,
  );
  const attempts = [{ messageId: headers["webhook-id"], outcome: "delivered", status: 204, number: 1 }];
  expect(await get(`${path}/attempts`)).toMatchObject({ attempts });

  const mailed = async (): Promise<{ subject: string; text: string }[]> =>
    (await get("/mail/messages?to=ada@example.com")).messages as { subject: string; text: string }[];
  await until("a mail", async () => (await mailed()).length > 0);
  const verification = /#token=([\w-]+)/.exec((await mailed())[0]!.text)![1];
  await fetch(`${app.baseUrl}/auth/verify-email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: verification }),
  });
  receiver.act = answering(410);
  await fetch(`${app.baseUrl}/assets?name=other.txt`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: "other",
  });
  await until("a disabled endpoint", async () => (await get(path)).status === "disabled");
  await until("a notice", async () => (await mailed()).some(({ text }) => text.includes(new URL(receiver.url).host)));
});

test("a webhook that is signed as the README says is taken once; a body that is too large, or cut, is refused", async () => {
  expect(await runCommands(1)).toEqual([{ duplicate: false }]);
  const sources = (await get("/webhooks/sources")).sources as { path: string }[];
  const address = `${app.baseUrl}${sources[0]!.path}`;
  const answerTo = async (body: string): Promise<[number, string]> => {
    const answer = await fetch(address, { method: "POST", body });
    return [answer.status, ((await answer.json()) as { details: { reason: string } }).details.reason];
  };
  expect(await answerTo("x".repeat(200_000))).toEqual([400, "invalid_request"]);
  expect(await answerTo("{}")).toEqual([404, "webhook_refused"]);
});
