// A page of another site opens a WebSocket and the browser sends the session's cookie with it: no stream may open. The
// guard is asked through the host's real handshakes, because what it sees of one is the host's doing.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { AppProcess, PreparedApp } from "../../http/__tests__/support/app-process";
import { prepareGuardedApp } from "./support/guarded-app";

let prepared: PreparedApp;
let app: AppProcess;

beforeAll(async () => {
  prepared = await prepareGuardedApp({ env: { LIMIT_SCALE: "1000" } });
  app = await prepared.start();
});
afterAll(async () => {
  await app?.stop();
  prepared?.remove();
});

/** A stream that is refused is closed at once; one that is not would stay. */
const OPEN_LIMIT_MS = 30_000;

type Headers = Record<string, string | string[]>;
const cookie = { cookie: "session=victim" };
const foreign = { ...cookie, origin: "https://evil.example" };
const kinds = ["in", "out", "both"];
const paths = ["public", "own"].flatMap((who) => kinds.map((kind) => `${who}/${kind}`));

/** The sub-protocol in which a page sends headers that a WebSocket has no other place for. */
const inProtocol = (headers: object): string =>
  `encore.dev.headers.${Buffer.from(JSON.stringify(headers)).toString("base64url")}`;

/** What came until the server closed the stream, or how it refused the handshake. */
function talk(path: string, headers: Headers, protocols: string[] = []): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}/${path}`, ["encore-ws", ...protocols], { headers });
    let text = "";
    const limit = setTimeout(() => {
      resolve(`left open: ${text}`);
      socket.terminate();
    }, OPEN_LIMIT_MS);
    socket.on("open", () => socket.send('{"word":"hi"}'));
    socket.on("message", (data: Buffer) => (text += data.toString()));
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (data: Buffer) => (body += data.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(limit);
      resolve(text === "" ? "closed" : text);
    });
  });
}

/** The streams whose handlers ran since the last question. */
async function opened(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${app.port}/opened`);
  return ((await answer.json()) as { names: string[] }).names;
}

describe.each(paths)("the stream %s", (path) => {
  test.each<[string, Headers, object[]?]>([
    ["with a foreign origin", foreign],
    ["that says it is cross-site", { ...cookie, "sec-fetch-site": "cross-site" }],
    ["that says it is of a neighbouring subdomain", { ...cookie, "sec-fetch-site": "same-site" }],
    ["that does not say where it comes from", cookie],
    ["of a sandboxed frame", { ...cookie, origin: "null" }],
    ["with a host of the page's choice", foreign, [{ "x-forwarded-host": "evil.example" }]],
    ["with an empty Authorization of the page's choice", foreign, [{ authorization: "" }]],
    ["with a word about forwarding", foreign, [{ forwarded: "host=evil.example" }]],
  ])("is closed to a handshake %s that brings the cookie along", async (_what, headers, more = []) => {
    expect(await talk(path, headers, more.map(inProtocol))).toMatch(/^403 .*cross_site_request/);
    expect(await opened()).toEqual([]);
  });

  test("cannot be told a fetch site by the page", async () => {
    expect(await talk(path, foreign, [inProtocol({ "Sec-Fetch-Site": "same-origin" })])).toMatch(/^400 /);
  });

  test("opens for the cookie from a page of ours, and for a token", async () => {
    const own = { ...cookie, origin: `http://127.0.0.1:${app.port}` };
    const callers: [Headers, object[]?][] = [
      [own],
      [{ ...own, "sec-fetch-site": "same-origin" }],
      [{ origin: "https://partner.example", authorization: "Bearer x" }],
      [{ origin: "https://partner.example" }, [{ authorization: "Bearer x" }]],
    ];
    for (const [headers, more = []] of callers)
      expect(await talk(path, headers, more.map(inProtocol)), JSON.stringify([headers, more])).toBe('{"word":"hi"}');
    expect(await opened()).toEqual(callers.map(() => path));
  });
});

test("a stream that the guard refuses is closed, not left open for messages that nobody reads", async () => {
  for (const path of ["closed/in", "closed/out", "closed/both"])
    expect(await talk(path, { authorization: "Bearer x" }), path).toBe("closed");
  expect(await opened()).toEqual([]);
});
