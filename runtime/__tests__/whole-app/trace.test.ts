// One trace id from the HTTP request to the last SQL statement: a document is sent to the running app, and an OTLP
// collector must receive every part of its way under the id that the answer's header named.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { credentialStuffing, stuffingSettings } from "./credential-stuffing";
import { type Collector, type CollectedSpan, startCollector } from "./support/otlp-collector";
import { type RunningApp, startApp, migratedStateDir, until } from "./support/running-app";

/** Encore prints the 16 bytes in base32 with the alphabet 0-9a-v (T-10); OTLP carries them as they are. */
function hexOf(encoreTraceId: string): string {
  const bits = [...encoreTraceId]
    .map((c) => "0123456789abcdefghijklmnopqrstuv".indexOf(c).toString(2).padStart(5, "0"))
    .join("");
  return (bits.match(/.{8}/g) ?? [])
    .slice(0, 16)
    .map((byte) => parseInt(byte, 2).toString(16).padStart(2, "0"))
    .join("");
}

describe("a document's way through the house", () => {
  const state = migratedStateDir();
  let collector: Collector;
  let app: RunningApp;

  beforeAll(async () => {
    collector = await startCollector();
    app = await startApp(state.path, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER_ARG: "1",
      ...stuffingSettings,
    });
  });

  afterAll(async () => {
    await app?.killTree();
    await collector?.close();
    state.remove();
  });

  async function post(
    path: string,
    body: unknown,
    token?: string,
  ): Promise<{ id: string; traceId: string; body: Record<string, unknown> }> {
    const response = await fetch(app.baseUrl + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    expect(response.status, JSON.stringify(answer)).toBe(200);
    const id = response.headers.get("x-encore-trace-id") ?? "";
    return { id, traceId: hexOf(id), body: answer };
  }

  /** What `groundwork trace` finds; the job's own line is the last of them. */
  async function traceOf(id: string): Promise<Record<string, unknown>[]> {
    const cli = join(import.meta.dirname, "../../../dist/cli.js");
    const options = { env: { ...process.env, GROUNDWORK_STATE_DIR: state.path } };
    let lines: Record<string, unknown>[] = [];
    await until("the job's line is kept", async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [cli, "trace", id, "--json"], options);
      lines = JSON.parse(stdout) as Record<string, unknown>[];
      return lines.some(({ message }) => message === "job vectors:embed");
    });
    return lines;
  }

  test("is one trace over HTTP, guard, SQL, outbox, publish, consume and job", async () => {
    const account = await post("/auth/register", {
      email: "tracer@example.com",
      password: "correct horse battery",
      organisation: "Traced",
    });
    const sent = await post(
      "/vectors/documents",
      { source: "traced.md", text: "# Traces\n\nOne id from the request to the last statement." },
      String(account.body.accessToken),
    );
    const mine = (): CollectedSpan[] => collector.spans.filter((span) => span.traceId === sent.traceId);
    const wanted = {
      http: (s: CollectedSpan) => s.name === "POST vectors.ingest" && s.attributes["url.path"] === "/vectors/documents",
      guard: (s: CollectedSpan) => s.name === "guard",
      sql: (s: CollectedSpan) =>
        s.attributes["db.system"] !== undefined || s.attributes["db.system.name"] !== undefined,
      outbox: (s: CollectedSpan) => /outbox/.test(s.name),
      publish: (s: CollectedSpan) => /publish/.test(s.name),
      consume: (s: CollectedSpan) => /consume/.test(s.name),
      job: (s: CollectedSpan) => /vectors:embed/.test(s.name) && s.attributes["queue.job_id"] !== undefined,
    };
    const missing = (): string[] =>
      Object.entries(wanted)
        .filter(([, matches]) => !mine().some(matches))
        .map(([name]) => name);
    await until("every part of the way is exported", () => missing().length === 0).catch((error: Error) => {
      throw new Error(
        `${error.message}; missing ${missing().join(", ")}; seen ${mine()
          .map((s) => s.name)
          .join(" · ")}`,
      );
    });
    const ids = new Set(mine().map((span) => span.spanId));
    const orphans = mine().filter((span) => span.parentSpanId !== "" && !ids.has(span.parentSpanId));
    expect(orphans.map((span) => span.name)).toEqual([]);

    // The same id leads through the app's log lines: of the request, the relay, the consumer and the job.
    const way = await traceOf(sent.id);
    expect(way.map(({ requestId }) => requestId)).toEqual(way.map(() => sent.id));
    expect(way.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        "request",
        expect.stringMatching(/^publish /),
        expect.stringMatching(/^consume /),
        "job vectors:embed",
      ]),
    );
    expect(app.output()).not.toContain(`"message":"job vectors:embed"`);
  });

  // Here, because its limits are those of production; behind the document's way, which it would hold up.
  credentialStuffing({
    baseUrl: () => app.baseUrl,
    attempts: 150,
    perSecond: 100,
    addresses: 2,
    atOnceMax: 8,
    seed: 20_261_130,
  });
});
