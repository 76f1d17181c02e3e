// Files as clients send and get them, over HTTP, at the running app.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request } from "node:http";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";
import { PART_BYTES } from "../bucket";
import { pdf, png } from "./files";

const state = migratedStateDir();
let app: RunningApp;
let token: string;

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
  const registered = await fetch(`${app.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "files@example.com", password: "a passphrase of many words", organisation: "Files" }),
  });
  ({ accessToken: token } = (await registered.json()) as { accessToken: string });
});

afterAll(async () => {
  await app?.killTree();
  state.remove();
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
    let left = 20;
    const unannounced = new ReadableStream<Uint8Array>({
      pull: (to) => (left-- > 0 ? to.enqueue(new Uint8Array(1_000_000)) : to.close()),
    });
    const long = ask("POST", "/assets?name=over", { body: unannounced, duplex: "half" });
    expect(await long.then(reasonOf, () => "file_too_large")).toBe("file_too_large");
    await new Promise<void>((resolve) => {
      const headers = { authorization: `Bearer ${token}`, "content-length": "8000000" };
      const cut = request(`${app.baseUrl}/assets?name=cut`, { method: "POST", headers });
      cut.on("error", () => undefined).on("close", resolve);
      cut.write(Buffer.alloc(5_000_000), () => cut.destroy());
    });
    expect(await assetsCount()).toBe(before);
    expect((await fetch(`${app.baseUrl}/livez`)).status).toBe(200);
  });

  test("that is a PDF is found by its words, with the page that has them", async () => {
    const { id } = await send("leave.pdf", pdf(["Holidays are thirty days.", "The notice period is six weeks."]));
    let asset = await get<Asset>(`/assets/${id}`);
    await until("its text is a document", async () => (asset = await get<Asset>(`/assets/${id}`)).status === "ready");
    const { documentId } = asset;
    const found = async (): Promise<{ documentId: string; text: string }[]> =>
      (await get<{ results: { documentId: string; text: string }[] }>("/vectors/search?q=notice+period")).results;
    await until("it is found", async () => (await found()).some((result) => result.documentId === documentId));
    const best = (await found()).find((result) => result.documentId === documentId);
    expect(best?.text).toBe("## Page 2\n\nThe notice period is six weeks.");
    expect((await ask("DELETE", `/assets/${id}`)).status).toBe(200);
    await until("it is found no more", async () => (await found()).every((result) => result.documentId !== documentId));
    expect(await reasonOf(await ask("GET", `/assets/${id}/content`))).toBe("asset_not_found");
  });
});
