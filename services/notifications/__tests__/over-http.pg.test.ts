// Notifications as clients ask for them, over HTTP, at the running app: the README's commands, and the link of a mail.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";

const email = "notified@example.com";
const state = migratedStateDir();
let app: RunningApp;
let token: string;
let me: string;

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of many shapes

async function ask(method: string, path: string, body?: unknown): Promise<Json> {
  const response = await fetch(`${app.baseUrl}${path}`, {
    method,
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return text === "" ? {} : (JSON.parse(text) as Json);
}

beforeAll(async () => {
  app = await startApp(state.path, { LIMIT_SCALE: "1000000" });
  token = "";
  const who = { email, password: "a passphrase of many words", organisation: "Notified" };
  const registered = await ask("POST", "/auth/register", who);
  token = registered.accessToken as string;
  me = (registered.user as { id: string }).id;
  let link: string | undefined;
  await until("the mail that verifies", async () => {
    const { messages } = await ask("GET", `/mail/messages?to=${email}`);
    link = (messages as { text: string }[]).map(({ text }) => /#token=([\w-]+)/.exec(text)?.[1]).find(Boolean);
    return link !== undefined;
  });
  await ask("POST", "/auth/verify-email", { token: link });
});

afterAll(async () => {
  await app?.killTree();
  state.remove();
});

/** The README's blocks of commands, in order. */
function readmeCommands(): string[] {
  const page = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  return [...page.matchAll(/^```sh\n([^`]*)^```$/gm)].map(([, commands = ""]) => commands);
}

async function answersOf(commands: string, id = ""): Promise<Json[]> {
  const script = commands.replaceAll("localhost:4000", app.baseUrl).replaceAll(/(?<!\\)\n/g, "; echo\n");
  const options = { env: { ...process.env, TOKEN: token, ME: me, ID: id }, timeout: 60_000 };
  const { stdout } = await promisify(execFile)("bash", ["-c", script], options);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);
}

const statesOf = async (id: string): Promise<string[]> => {
  const { receipts } = await ask("GET", `/notifications/${id}/receipts`);
  return (receipts as { channel: string; state: string; reason?: string }[])
    .map(({ channel, state: become, reason }) => [channel, become, reason].filter(Boolean).join(" "))
    .sort();
};

test("the README's commands set what reaches whom, send, and show what became of it", async () => {
  const [settings = "", sending = ""] = readmeCommands();
  const [policy, preferences] = await answersOf(settings);
  expect(policy?.quietHours).toEqual({ from: "22:00", to: "07:00" });
  expect(preferences?.inForce).toMatchObject({
    timeZone: "Asia/Tokyo",
    categories: { security: { urgent: true, locked: true }, billing: { dailyLimit: 3, toSms: true } },
  });
  const [sent = {}] = await answersOf(sending.split("\n").slice(0, 2).join("\n"));
  await until("it is mailed", async () => (await statesOf(sent.id as string)).includes("email sent"));
  const [, receipts, inbox] = await answersOf(sending, sent.id as string);
  expect(receipts?.counts).toContainEqual({ channel: "in_app", state: "delivered", count: 1 });
  expect(inbox?.notifications).toContainEqual(expect.objectContaining({ id: sent.id, title: "A new device" }));
});

test("a mail's link asks, its button ends such mails without signing in, and a link that we did not make does neither", async () => {
  await ask("PUT", "/notifications/policy", {});
  const send = async (): Promise<string> => {
    const content = { title: "News", body: "There are some." };
    return (await ask("POST", "/notifications/send", { to: [me], category: "news", content })).id as string;
  };
  const first = await send();
  await until("it is mailed", async () => (await statesOf(first)).includes("email sent"));
  const { messages } = await ask("GET", `/mail/messages?to=${email}`);
  const mail = await ask("GET", `/mail/messages/${(messages as { id: string }[])[0]!.id}`);
  const url = new URL(mail.unsubscribeUrl as string);
  const link = `${app.baseUrl}${url.pathname}${url.search}`;
  const page = await fetch(link);
  expect([page.status, page.headers.get("content-security-policy")]).toEqual([
    200,
    expect.stringContaining("form-action 'self'"),
  ]);
  expect(await page.text()).toContain('<form method="post">');
  const press = (at: string): Promise<Response> =>
    fetch(at, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "List-Unsubscribe=One-Click",
    });
  const forged = await press(`${link.slice(0, -4)}AAAA`);
  expect([forged.status, ((await forged.json()) as Json).details.reason]).toEqual([400, "unsubscribe_link_invalid"]);
  const second = await send();
  await until("looking ends nothing", async () => (await statesOf(second)).includes("email sent"));
  expect((await press(link)).status).toBe(200);
  const third = await send();
  await until("it is withheld", async () => (await statesOf(third)).includes("email withheld channel_off"));
  expect((await ask("GET", "/notifications/preferences")).categories.news).toEqual({ toEmails: false });
});

test("a repeated Idempotency-Key notifies once", async () => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": "one" };
  const body = JSON.stringify({ to: [me], category: "once", content: { title: "Once", body: "and no more." } });
  const post = async (): Promise<Json> =>
    (await (await fetch(`${app.baseUrl}/notifications/send`, { method: "POST", headers, body })).json()) as Json;
  const [one, again] = [await post(), await post()];
  expect(again.id).toBe(one.id);
});

test.each(["preferences", "policy"])("a body beyond 64 KB is no PUT /notifications/%s", async (what) => {
  const put = async (spaces: number): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = `{${" ".repeat(spaces)}}`;
    return (await fetch(`${app.baseUrl}/notifications/${what}`, { method: "PUT", headers, body })).status;
  };
  expect([await put(60_000), await put(70_000)]).toEqual([200, 400]);
});
