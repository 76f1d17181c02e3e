// Files as clients send and get them, over HTTP, at the running app.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";
import { PART_BYTES } from "../bucket";
import { pdf, png } from "./files";

const state = migratedStateDir();
const work = mkdtempSync(join(tmpdir(), "assets-"));
let app: RunningApp;
let token: string;
const json = { "content-type": "application/json" };

interface Asset {
  id: string;
  name: string;
  mediaType: string;
  bytes: number;
  status: string;
  documentId?: string;
}

beforeAll(async () => {
  app = await startApp(state.path, { LIMIT_SCALE: "1000000", ASSETS_FILE_BYTES_MAX: "9000000" });
  token = await register("files");
});

async function register(name: string): Promise<string> {
  const registered = await fetch(`${app.baseUrl}/auth/register`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ email: `${name}@example.com`, password: "a passphrase of many words", organisation: name }),
  });
  const { accessToken } = (await registered.json()) as { accessToken: string };
  return accessToken;
}

afterAll(async () => {
  await app?.killTree();
  state.remove();
  rmSync(work, { recursive: true });
});

const ask = (method: string, path: string, more: RequestInit = {}): Promise<Response> =>
  fetch(`${app.baseUrl}${path}`, { method, ...more, headers: { authorization: `Bearer ${token}`, ...more.headers } });
const send = async (name: string, body: Buffer): Promise<Asset> => {
  const answer = await ask("POST", `/assets?name=${encodeURIComponent(name)}`, { body: Uint8Array.from(body) });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await answer.json()) as Asset;
};
const reasonOf = async (answer: Response): Promise<unknown> =>
  ((await answer.json()) as { details: { reason: string } }).details.reason;
const get = async <T>(path: string): Promise<T> => (await (await ask("GET", path)).json()) as T;
const assetsCount = async (): Promise<number> => (await get<{ assets: Asset[] }>("/assets?limit=100")).assets.length;

/** As a client that listens only when it has sent all: by node's own, whose connection stays for the next request. */
function post(path: string, headers: Record<string, string>, body: Buffer, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers: { authorization: `Bearer ${token}`, ...headers }, agent };
    const sent = request(`${app.baseUrl}${path}`, options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("end", () => resolve((JSON.parse(text) as { details?: { reason: string } }).details?.reason ?? text));
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

interface Found {
  results: { documentId: string; text: string }[];
}

/** The README's blocks of commands, in order. */
function readmeCommands(): string[] {
  const page = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  return [...page.matchAll(/^```sh\n([^`]*)^```$/gm)].map(([, commands = ""]) => commands);
}

/** What each of the commands answers, run where handbook.pdf is. */
async function answersOf(commands: string): Promise<unknown[]> {
  const script = commands.replaceAll("localhost:4000", app.baseUrl).replaceAll("\n", "; echo\n");
  const options = { cwd: work, env: { ...process.env, TOKEN: token }, timeout: 60_000 };
  const { stdout } = await promisify(execFile)("bash", ["-c", script], options);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}

describe("a file", () => {
  test("comes back as it was sent, whole or a range of it, and no browser takes it for a page of ours", async () => {
    const page = Buffer.concat([Buffer.from("<!doctype html><script>alert(1)</script>"), Buffer.alloc(PART_BYTES, 32)]);
    const { id, mediaType } = await send(`of "Ada" – 1.html`, page);
    expect(mediaType).toBe("text/html");
    const whole = await ask("GET", `/assets/${id}/content`);
    expect(Buffer.from(await whole.arrayBuffer()).equals(page)).toBe(true);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-type": "text/html",
      "content-length": String(page.length),
      "content-disposition": `attachment; filename="of _Ada_ _ 1.html"; filename*=UTF-8''of%20%22Ada%22%20%E2%80%93%201.html`,
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringMatching(/default-src 'none'.*; sandbox$/),
      "cache-control": "no-store",
    });
    const across = await ask("GET", `/assets/${id}/content`, {
      headers: { range: `bytes=${PART_BYTES - 2}-${PART_BYTES + 1}` },
    });
    expect([across.status, across.headers.get("content-range")]).toEqual([
      206,
      `bytes ${PART_BYTES - 2}-${PART_BYTES + 1}/${page.length}`,
    ]);
    expect(await across.text()).toBe("    ");
    const ranged = async (ifRange: string): Promise<number[]> => {
      const headers = { range: "bytes=0-1", "if-range": ifRange };
      const answer = await ask("GET", `/assets/${id}/content`, { headers });
      return [answer.status, (await answer.arrayBuffer()).byteLength];
    };
    const etag = whole.headers.get("etag") ?? "";
    expect(await ranged(etag)).toEqual([206, 2]);
    for (const other of ['"another"', `W/${etag}`, "Sun, 06 Nov 1994 08:49:37 GMT"])
      expect(await ranged(other), other).toEqual([200, page.length]);
    const none = await ask("GET", `/assets/${id}/content`, { headers: { range: `bytes=${page.length}-` } });
    expect([none.status, await reasonOf(none)]).toEqual([416, "range_not_satisfiable"]);
    expect(await reasonOf(await ask("GET", `/assets/${id}/content?version=2`))).toBe("asset_not_found");
    expect(await reasonOf(await ask("GET", `/assets/${id}/content?version=x`))).toBe("invalid_request");
  });

  test("comes in a form too, under the name that its sender's machine gives it", async () => {
    const form = new FormData();
    form.append("about", "a picture");
    form.append("file", new Blob([Uint8Array.from(png)]), "täa.png");
    const answer = await ask("POST", "/assets", { body: form });
    const { id, bytes } = (await answer.json()) as Asset;
    expect(bytes).toBe(png.length);
    expect(await get<Asset>(`/assets/${id}`)).toMatchObject({
      name: "täa.png",
      mediaType: "image/png",
      status: "stored",
    });
    const before = await assetsCount();
    const named = (head: string, body: string): Promise<Response> =>
      ask("POST", "/assets?name=x", { headers: { "content-type": `multipart/form-data${head}` }, body });
    const file = `--b\r\ncontent-disposition: form-data; name="f"; filename="f.txt"\r\n\r\nhalf of a`;
    expect(await reasonOf(await named("", "x"))).toBe("form_unreadable");
    expect(await reasonOf(await named("; boundary=b", file))).toMatch(/^(form_unreadable|upload_broken_off)$/);
    expect(await reasonOf(await named("; boundary=b", "--b--\r\n"))).toBe("file_empty");
    const field = `--b\r\ncontent-disposition: form-data; name="f"\r\n\r\nwords\r\n--b--\r\n`;
    expect(await reasonOf(await named("; boundary=b", field))).toBe("file_empty");
    expect(await assetsCount()).toBe(before);
  });

  test("is refused before it has arrived when it is too large or has no name; what breaks off leaves nothing", async () => {
    const before = await assetsCount();
    const over = Uint8Array.from(Buffer.alloc(9_000_001, 1));
    expect(await reasonOf(await ask("POST", "/assets?name=over", { body: over }))).toBe("file_too_large");
    for (const name of ["", "%20", "a%0ab", "a".repeat(256)])
      expect(await reasonOf(await ask("POST", `/assets?name=${name}`, { body: "x" }))).toBe("invalid_request");
    expect(await reasonOf(await ask("POST", "/assets", { body: "x" }))).toBe("invalid_request");
    expect(await reasonOf(await ask("POST", "/assets?name=none"))).toBe("file_empty");
    const unannounced = { "transfer-encoding": "chunked" };
    expect(await post("/assets?name=over", unannounced, Buffer.alloc(20_000_000, 1))).toBe("file_too_large");
    await new Promise<void>((resolve) => {
      const headers = { authorization: `Bearer ${token}`, "content-length": "8000000" };
      const cut = request(`${app.baseUrl}/assets?name=cut`, { method: "POST", headers });
      cut.on("error", () => undefined).on("close", resolve);
      cut.write(Buffer.alloc(5_000_000), () => cut.destroy());
    });
    expect(await assetsCount()).toBe(before);
    expect((await fetch(`${app.baseUrl}/livez`)).status).toBe(200);
  });

  test("that is refused blocks nothing behind it on its connection", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = await assetsCount();
    const form = { "content-type": "multipart/form-data; boundary=b" };
    const head = `--b\r\ncontent-disposition: form-data; name="f"; filename="f.bin"\r\n\r\n`;
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(8_000_000, 1), Buffer.from("\r\n--b--\r\n")]);
    expect(await post("/assets?name=a%0ab", form, body, agent)).toBe("invalid_request");
    expect(await post("/assets?name=x", { "content-type": "multipart/form-data" }, body, agent)).toBe(
      "form_unreadable",
    );
    expect(await post("/assets?name=x", {}, Buffer.alloc(9_000_001, 1), agent)).toBe("file_too_large");
    expect(JSON.parse(await post("/assets?name=x", {}, png, agent))).toMatchObject({ mediaType: "image/png" });
    agent.destroy();
    expect(await assetsCount()).toBe(before + 1);
    // A connection that is blocked is freed after a minute.
  }, 40_000);

  test("costs what it sent, also when nothing is kept of it", async () => {
    const poor = migratedStateDir();
    // A person has 120 points a minute.
    const small = await startApp(poor.path, { LIMIT_SCALE: "0.02", ASSETS_FILE_BYTES_MAX: "9000000" });
    const [ownApp, ownToken] = [app, token];
    try {
      app = small;
      token = await register("poor");
      const unannounced = { "transfer-encoding": "chunked" };
      expect(await post("/assets?name=over", unannounced, Buffer.alloc(10_000_000, 1))).toBe("file_too_large");
      expect(await post("/assets?name=next", {}, png)).toBe("rate_limited");
    } finally {
      [app, token] = [ownApp, ownToken];
      await small.killTree();
      poor.remove();
    }
  });

  test("is neither taken nor handed out while the bucket is away, and that is an answer", async () => {
    const { id } = await send("away.png", png);
    const folder = join(state.path, "objects", "asset-files");
    renameSync(folder, `${folder}-away`);
    writeFileSync(folder, "");
    try {
      const answers = [
        await ask("GET", `/assets/${id}/content`),
        await ask("POST", "/assets?name=later.png", { body: Uint8Array.from(png) }),
      ];
      for (const answer of answers) {
        expect([answer.status, await reasonOf(answer)]).toEqual([503, "service_unavailable"]);
        expect(answer.headers.get("retry-after")).toBe("5");
        expect(answer.headers.get("content-disposition")).toBeNull();
      }
    } finally {
      rmSync(folder);
      renameSync(`${folder}-away`, folder);
    }
    expect((await ask("GET", `/assets/${id}/content`)).status).toBe(200);
  });

  test("that is a PDF answers a question with the page that has it, by the README's commands", async () => {
    const [upload = "", question = ""] = readmeCommands();
    writeFileSync(join(work, "handbook.pdf"), pdf(["Holidays are thirty days.", "The notice period is six weeks."]));
    const [{ id } = { id: "" }, again] = (await answersOf(upload)) as { id: string; version: number }[];
    expect(again).toMatchObject({ id, version: 1 });
    let asset = await get<Asset>(`/assets/${id}`);
    await until("its text is a document", async () => (asset = await get<Asset>(`/assets/${id}`)).status === "ready");
    const { documentId } = asset;
    const document = `/vectors/documents/${documentId}`;
    await until("it can be found", async () => (await get<Asset>(document)).status === "ready");
    const [found, { mode, answer, citations } = { mode: "", answer: "", citations: [] }] = (await answersOf(
      question,
    )) as [Found, { mode: string; answer: string; citations: { quote: string }[] }];
    const best = found.results.find((result) => result.documentId === documentId);
    expect(best?.text).toBe("## Page 2\n\nThe notice period is six weeks.");
    expect([mode, answer]).toEqual(["extractive", expect.stringContaining("The notice period is six weeks.")]);
    const citation = citations.find(({ quote }) => quote.includes("six weeks"));
    expect(citation).toMatchObject({ documentId, source: `assets/${id}/handbook.pdf`, page: 2 });
    expect((await ask("DELETE", `/assets/${id}`)).status).toBe(200);
    await until("its document is gone", async () => (await ask("GET", document)).status === 404);
    expect(await reasonOf(await ask("GET", `/assets/${id}/content`))).toBe("asset_not_found");
  });
});
