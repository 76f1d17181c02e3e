// One request to a receiver: where it may be, how long it has, and that one which hangs holds up nobody else.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { addressRecords, startNameServer, type NameServer } from "../../../security/__tests__/name-server";
import { leadingInside, spelled } from "../../../security/__tests__/ssrf-tricks";
import { lookupPublic, type OutboundRules } from "../../../security/outbound";
import { newEndpoint, receiverUrl } from "../input";
import { createPoster, NoAnswer, NoTurn, post, type Failure, type Posting } from "../post";
import { answering, startReceiver, type Act, type Receiver } from "./receiver";

const nobody = new AbortController().signal;
/** As in production. */
const closed: OutboundRules = { trust: "organisation", allowLoopback: false };

const posting = (url: string): Posting => ({ url, headers: { "webhook-id": "1" }, body: "{}" });
const signing = (url: string) => (): Promise<Posting> => Promise.resolve(posting(url));
const failureOf = (asked: Promise<unknown>): Promise<Failure | "none"> =>
  asked.then(
    () => "none",
    (error: unknown) => {
      if (error instanceof NoAnswer) return error.failure;
      throw error;
    },
  );

describe("an address that an organisation names", () => {
  let inside: Server;
  let port = 0;
  let requests = 0;
  let names: NameServer;
  /** How often it was asked for. */
  const asked = new Map<string, number>();

  beforeAll(async () => {
    inside = createServer((_, answer) => {
      requests++;
      answer.end();
    });
    await once(inside.listen(0), "listening");
    port = (inside.address() as AddressInfo).port;
    names = await startNameServer((name, type) => {
      const times = asked.get(name) ?? 0;
      asked.set(name, times + 1);
      // The first look-up, of both families, finds a public one.
      if (name === "rebinding.example.com") return addressRecords(times < 2 ? ["8.8.8.8"] : ["127.0.0.1"], type);
      return addressRecords(leadingInside[name] ?? [], type);
    });
  });
  afterAll(async () => {
    await names.close();
    inside.closeAllConnections();
    inside.close();
  });

  test.each(spelled)("cannot be set up, and is not asked: %s", async (url) => {
    expect(receiverUrl(closed).safeParse(url).success).toBe(false);
    expect(await failureOf(post(posting(url), nobody, { rules: closed }))).toBe("refused_address");
  });

  test.each(Object.keys(leadingInside))("is judged where its name leads: %s", async (name) => {
    const url = `https://${name}:${port}/`;
    expect(receiverUrl(closed).safeParse(url).success).toBe(true);
    const rules = { ...closed, nameServers: [names.address] };
    expect(await failureOf(post(posting(url), nobody, { rules }))).toBe("refused_address");
  });

  test("is judged as it is connected to: a name that changes its mind gains nothing", async () => {
    const name = "rebinding.example.com";
    const before = await new Promise((resolve, reject) =>
      lookupPublic([names.address])(name, {}, (error, address) => (error === null ? resolve(address) : reject(error))),
    );
    expect(before).toBe("8.8.8.8");
    const rules = { ...closed, nameServers: [names.address] };
    expect(await failureOf(post(posting(`https://${name}:${port}/`), nobody, { rules }))).toBe("refused_address");
    // One look-up an attempt, of both families.
    expect(asked.get(name)).toBe(4);
  });

  test("has brought nothing of all this to a server inside", () => {
    expect(spelled.length + Object.keys(leadingInside).length).toBeGreaterThanOrEqual(60);
    expect(requests).toBe(0);
  });

  test("that is public is kept in one spelling", () => {
    const parsed = receiverUrl(closed).parse("https://HOOKS.example.com:443/a?b=c#d");
    expect(parsed).toBe("https://hooks.example.com/a?b=c");
  });

  test("an endpoint asks for types that there are", () => {
    const url = "https://hooks.example.com/";
    expect(newEndpoint.safeParse({ url, eventTypes: ["assets.asset.uploaded"] }).success).toBe(true);
    for (const type of ["assets.asset.uploaded@1", "assets.*", "x"])
      expect(newEndpoint.safeParse({ url, eventTypes: [type] }).success, type).toBe(false);
  });
});

describe("a receiver", () => {
  let receiver: Receiver;
  const open = new Set<() => void>();
  const begin = async (act: Act): Promise<string> => {
    receiver = await startReceiver(act);
    open.add(receiver.close);
    return receiver.url;
  };
  afterEach(() => {
    for (const close of open) close();
    open.clear();
  });

  test("is told apart by its status, and a redirect is none that is followed", async () => {
    const other = await startReceiver();
    open.add(other.close);
    const url = await begin(answering(302, { location: other.url }, "elsewhere"));
    expect(await post(posting(url), nobody)).toEqual({ status: 302, response: "elsewhere", retryAfterMs: 0 });
    expect(other.received).toEqual([]);
    receiver.act = answering(503, { "retry-after": "120" });
    expect(await post(posting(url), nobody)).toMatchObject({ status: 503, retryAfterMs: 120_000 });
    expect(receiver.received.map(({ body }) => body)).toEqual(["{}", "{}"]);
  });

  test.each([
    ["switches protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 1],
    ["says that it will answer, without end", "HTTP/1.1 103 Early Hints\r\n\r\n", 100_000],
    ["closes without a word", "", 1],
  ])("that %s gave no answer, at once", async (_what, text, times) => {
    const raw = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        if (text === "") socket.destroy();
        else socket.write(text.repeat(times));
      });
    });
    await once(raw.listen(0, "127.0.0.1"), "listening");
    open.add(() => raw.close());
    const { port } = raw.address() as AddressInfo;
    const late = { answerMs: 60_000 };
    expect(await failureOf(post(posting(`http://127.0.0.1:${port}/`), nobody, late))).toBe("no_connection");
  });

  test("that hangs is given up in time, and its connection is cut", async () => {
    const cut: Promise<unknown>[] = [];
    const url = await begin((_, response) => void cut.push(once(response, "close")));
    const startedAt = performance.now();
    expect(await failureOf(post(posting(url), nobody, { answerMs: 200 }))).toBe("timeout");
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await cut[0];
  });

  test("is left at once when the job ends, and that is no failure of its own", async () => {
    const url = await begin(() => undefined);
    const ending = new AbortController();
    const asked = post(posting(url), ending.signal);
    ending.abort(new Error("the process stops"));
    await expect(asked).rejects.toThrow("the process stops");
  });

  test("that answers without end has answered: little of it is read", async () => {
    let written = 0;
    const url = await begin((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000))) written += 10_000;
      };
      response.on("drain", more);
      more();
    });
    const { status, response } = await post(posting(url), nobody);
    expect({ status, chars: response.length }).toEqual({ status: 200, chars: 500 });
    expect(written).toBeLessThan(20_000_000);
    receiver.act = (_, trickling) => void trickling.writeHead(200).write("a\u0000b");
    const startedAt = performance.now();
    expect(await post(posting(url), nobody)).toMatchObject({ status: 200, response: "a b" });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test("that hangs holds up nobody else: it rests, and others are asked meanwhile", async () => {
    const hanging = await begin(() => undefined);
    const prompt = await startReceiver();
    open.add(prompt.close);
    const ask = createPoster({ answerMs: 400 });
    // More of them than there are turns for whoever was never asked.
    const given = await Promise.all(
      Array.from({ length: 30 }, (_, i) => ask(`hangs-${i % 5}`, signing(hanging), nobody).catch((e: unknown) => e)),
    );
    expect(given.some((error) => error instanceof NoAnswer)).toBe(true);
    expect(given.every((error) => error instanceof NoAnswer || error instanceof NoTurn)).toBe(true);
    const again = ask("hangs-0", signing(hanging), nobody).catch((error: unknown) => error);
    const startedAt = performance.now();
    expect(await ask("answers", signing(prompt.url), nobody)).toMatchObject({ status: 204 });
    expect(performance.now() - startedAt).toBeLessThan(200);
    expect(await again).toBeInstanceOf(NoTurn);
    receiver.act = answering(200);
    await vi.waitFor(
      async () => expect(await ask("hangs-0", signing(hanging), nobody)).toMatchObject({ status: 200 }),
      {
        timeout: 5_000,
      },
    );
  });

  test("that is given up for others has been asked: it is told so, and not asked again as if it never was", async () => {
    const hanging = await begin(() => undefined);
    const ask = createPoster({ answerMs: 20_000 });
    const end = new AbortController();
    const told: unknown[] = [];
    const hang = (who: string): void =>
      void ask(who, signing(hanging), end.signal).then(undefined, (error: unknown) => told.push(error));
    // As many as there are turns for whoever was never asked. Each has its turn for a second.
    for (let i = 0; i < 24; i++) hang(`hangs-${i}`);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(24), { timeout: 10_000 });
    await vi.waitFor(
      () => {
        hang(randomUUID());
        expect(told.filter((error) => error instanceof NoAnswer)).not.toEqual([]);
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(told.find((error) => error instanceof NoAnswer)).toMatchObject({ failure: "cut_short" });
    expect(told.some((error) => error instanceof NoTurn)).toBe(true);
    end.abort();
  });

  test("is asked for a turn before anything is signed for it", async () => {
    const hanging = await begin(() => undefined);
    const ask = createPoster({ answerMs: 400 });
    expect(await failureOf(ask("hangs", signing(hanging), nobody))).toBe("timeout");
    const sign = vi.fn(signing(hanging));
    await expect(ask("hangs", sign, nobody)).rejects.toBeInstanceOf(NoTurn);
    expect(sign).not.toHaveBeenCalled();
  });
});
