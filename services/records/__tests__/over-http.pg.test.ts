// Records as clients ask for them, over HTTP, at the running app: tags and keys in headers, filters in the address.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migratedStateDir, startApp, type RunningApp } from "../../../runtime/__tests__/whole-app/support/running-app";

const state = migratedStateDir();
let app: RunningApp;
let token: string;

interface Answer {
  status: number;
  etag: string | null;
  location: string | null;
  replayed: string | null;
  body: Record<string, unknown> & { details?: { reason?: string }; items?: Record<string, unknown>[]; next?: string };
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${app.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get("etag"),
    location: response.headers.get("location"),
    replayed: response.headers.get("idempotent-replayed"),
    body: (text === "" ? {} : JSON.parse(text)) as Answer["body"],
  };
}

const path = "/api/v1/products";
const tea = { sku: "t", name: "Tea", priceMinor: 450, currency: "EUR", stock: 100 };
const told = ({ status, body }: Answer): unknown => [status, body.details?.reason];

beforeAll(async () => {
  app = await startApp(state.path, { LIMIT_SCALE: "1000000" });
  token = "";
  const who = { email: "records@example.com", password: "a passphrase of many words", organisation: "Records" };
  token = (await ask("POST", "/auth/register", who)).body.accessToken as string;
});

afterAll(async () => {
  await app?.killTree();
  state.remove();
});

test("a change goes by the tag of what was read", async () => {
  const made = await ask("POST", path, tea);
  const one = `${path}/${made.body.id as string}`;
  expect([made.status, made.location, made.etag]).toEqual([201, one, '"1"']);
  for (const name of ["etag", "location", "status"]) expect(made.body).not.toHaveProperty(name);
  expect((await ask("GET", one)).etag).toBe('"1"');
  expect((await ask("GET", `${one}?include=category`)).etag).toBeNull();
  expect((await ask("PATCH", one, { name: "Tee" })).etag).toBe('"2"');
  expect(told(await ask("PATCH", one, { name: "The" }, { "if-match": '"1"' }))).toEqual([409, "precondition_failed"]);
  expect(told(await ask("DELETE", one, undefined, { "if-match": '"1"' }))).toEqual([409, "precondition_failed"]);
  expect(told(await ask("POST", `${one}/stock`, { by: 1 }, { "if-match": '"1"' }))).toEqual([
    409,
    "precondition_failed",
  ]);
  expect((await ask("DELETE", one)).status).toBe(200);
  expect(told(await ask("GET", one))).toEqual([404, "product_not_found"]);
  expect((await ask("POST", `${one}/restore`)).etag).toBe('"4"');
});

test("the same key gets the first answer again, with its tag, and takes nothing a second time", async () => {
  const key = { "idempotency-key": "one" };
  const first = await ask("POST", path, { ...tea, sku: "once" }, key);
  expect(await ask("POST", path, { ...tea, sku: "once" }, key)).toEqual({ ...first, replayed: "true" });
  const stock = `${path}/${first.body.id as string}/stock`;
  for (let time = 0; time < 3; time++)
    expect((await ask("POST", stock, { by: -1 }, { "idempotency-key": "two" })).body.stock).toBe(99);
  const rows = { rows: [tea, { ...tea, sku: "in bulk" }] };
  const bulk = await ask("POST", `${path}/bulk`, rows, { "idempotency-key": "three" });
  expect(bulk.body.rows).toMatchObject([{ status: "failed", reason: "sku_taken" }, { status: "done" }]);
  expect((await ask("POST", `${path}/bulk`, rows, { "idempotency-key": "three" })).body).toEqual(bulk.body);
});

test("a filter that is repeated holds twice, and pages follow each other", async () => {
  const rows = [1, 2, 3, 4, 5].map((n) => ({ ...tea, sku: `p${n}`, name: "Páge", priceMinor: n }));
  expect((await ask("POST", `${path}/bulk`, { rows })).status).toBe(200);
  const list = `${path}?name=eq.P%C3%A1ge&priceMinor=gte.2&priceMinor=lt.5&sort=-priceMinor&fields=priceMinor&limit=2`;
  const first = await ask("GET", list);
  const second = await ask("GET", `${list}&cursor=${first.body.next}`);
  expect([first, second].map(({ body }) => body.items?.map(({ priceMinor }) => priceMinor))).toEqual([[4, 3], [2]]);
  expect(Object.keys(first.body.items![0]!).sort()).toEqual(["id", "priceMinor", "version"]);
  expect(second.body.next).toBeUndefined();
  expect(told(await ask("GET", `${path}?name=P`))).toEqual([400, "invalid_request"]);
});

test("a parameter that no list knows is refused by its name, and answers nothing", async () => {
  for (const list of [path, "/api/v1/categories"]) {
    const { status, body } = await ask("GET", `${list}?limit=1&pricMinor=gte.2&%66oo=1`);
    expect([status, Object.keys((body.details as { fields?: object }).fields ?? {})]).toEqual([
      400,
      ["pricMinor", "foo"],
    ]);
    expect((await ask("GET", `${list}?limit=1&sort=name&createdAt=gt.2020-01-01&deleted=false`)).status).toBe(200);
  }
  expect((await ask("GET", "/api/v1/categories?sku=eq.t")).status).toBe(400);
  expect((await ask("GET", `${path}?stock=eq.1`)).status).toBe(400);
});

test("the README's commands do what they say", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, script = ""] = /```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  const commands = script.replaceAll("localhost:4000", app.baseUrl.replace("http://", ""));
  const { stdout } = await promisify(execFile)("bash", ["-ec", commands], { env: { ...process.env, TOKEN: token } });
  expect(stdout).toContain('"sku":"tea-1"');
  expect(stdout).toContain('"items":[{');
  expect(stdout).not.toContain('"reason"');
});

test("a list is taken out as a file of lines, with its filters, and refused as the list is", async () => {
  const sold = { name: "=1+1", priceMinor: 7_771, currency: "EUR" };
  const made = await ask("POST", path, { ...sold, sku: "taken" });
  const take = (query: string): Promise<Response> =>
    fetch(`${app.baseUrl}${path}/export?${query}`, { headers: { authorization: `Bearer ${token}` } });
  const csv = await take("format=csv&fields=name,priceMinor&priceMinor=eq.7771");
  expect([csv.status, csv.headers.get("content-type"), csv.headers.get("content-disposition")]).toEqual([
    200,
    "text/csv; charset=utf-8; header=present",
    'attachment; filename="products.csv"',
  ]);
  expect(await csv.text()).toBe(`"id","version","name","priceMinor"\r\n"${made.body.id as string}",1,"'=1+1",7771\r\n`);
  const lines = await take("fields=sku&priceMinor=gte.7771&priceMinor=lt.7772");
  expect(await lines.json()).toEqual({ id: made.body.id, version: 1, sku: "taken" });
  for (const wrong of ["format=xml", "limit=3", "deleted=perhaps", "priceMinor=like.3"]) {
    const refused = await take(wrong);
    const [name = ""] = wrong.split("=");
    const { details } = (await refused.json()) as { details: { fields: Record<string, string> } };
    expect([refused.status, Object.keys(details.fields)]).toEqual([400, [name]]);
  }
});

test("a list is taken out by who may read that kind alone, and a question mark is of its value", async () => {
  const key = async (permission: string): Promise<string> => {
    const made = await ask("POST", "/auth/api-keys", { name: permission, permissions: [permission] });
    return made.body.key as string;
  };
  const kinds = { "ledger.read": ["accounts", "transactions", "budgets"], "order.read": ["orders"] };
  for (const [permission, names] of Object.entries(kinds)) {
    const headers = { authorization: `Bearer ${await key(permission)}` };
    for (const name of [...names, "products"]) {
      const answer = await fetch(`${app.baseUrl}/api/v1/${name}/export`, { headers });
      await answer.text();
      expect([name, answer.status]).toEqual([name, name === "products" ? 403 : 200]);
    }
  }
  for (const sku of ["a", "a?b"]) await ask("POST", path, { ...tea, sku });
  const headers = { authorization: `Bearer ${token}` };
  const one = await fetch(`${app.baseUrl}${path}/export?fields=sku&sku=eq.a?b`, { headers });
  expect(await one.json()).toMatchObject({ sku: "a?b" });
});

test("three of an organisation are taken out at once, while nobody reads them", async () => {
  const description = "\u{1f375}".repeat(1_000) + "d".repeat(3_000);
  for (let from = 0; from < 3_000; from += 60) {
    const rows = Array.from({ length: 60 }, (_, n) => ({ ...tea, sku: `large-${from + n}`, description }));
    expect((await ask("POST", `${path}/bulk`, { rows })).status).toBe(200);
  }
  const left = new AbortController();
  const take = (): Promise<Response> =>
    fetch(`${app.baseUrl}${path}/export`, { headers: { authorization: `Bearer ${token}` }, signal: left.signal });
  const taken = [await take(), await take(), await take(), await take()];
  expect(taken.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
  left.abort();
}, 60_000);

test("errors have the shape and the codes of another contract, for who asks for it", async () => {
  const format = { "x-error-format": "envelope" };
  const shown = async (...[method, where, body, headers = {}]: Parameters<typeof ask>): Promise<unknown[]> => {
    const answer = await ask(method, where, body, { ...format, ...headers });
    const { error } = answer.body as { error: { code: string; details: { reason?: string; fields?: object } } };
    return [answer.status, error.code, error.details.reason, Object.keys(error.details.fields ?? {})];
  };
  const missing = `${path}/01890000-0000-7000-8000-000000000000`;
  expect(await shown("GET", missing)).toEqual([404, "NOT_FOUND", "product_not_found", []]);
  expect(await shown("GET", `${path}?sort=x`)).toEqual([400, "VALIDATION_ERROR", "invalid_request", ["sort"]]);
  expect(await shown("POST", path, { sku: 1 })).toEqual([400, "VALIDATION_ERROR", undefined, []]);
  const nobody = await shown("GET", path, undefined, { authorization: "Bearer x" });
  expect(nobody.slice(0, 2)).toEqual([401, "UNAUTHORIZED"]);
  expect(await shown("POST", path, tea)).toEqual([409, "SKU_TAKEN", "sku_taken", []]);
  expect(await shown("GET", `${path}/export?format=xml`)).toEqual([
    400,
    "VALIDATION_ERROR",
    "invalid_request",
    ["format"],
  ]);
  const plain = await ask("GET", missing);
  expect([plain.status, plain.body.code, told(plain)]).toEqual([404, "not_found", [404, "product_not_found"]]);
});

test("whoever is invited as a user is accepted, and none yet", async () => {
  const invited = await ask("POST", "/api/v1/users", { email: "guest@example.com", role: "viewer" });
  expect([invited.status, invited.body.email]).toEqual([202, "guest@example.com"]);
  const listed = await ask("GET", "/api/v1/users?role=eq.owner&fields=email");
  expect(listed.body.items).toEqual([{ id: expect.any(String) as string, email: "records@example.com" }]);
  expect((await ask("GET", "/api/v1/users?deleted=true")).status).toBe(400);
});
