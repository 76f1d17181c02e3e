// The recorded answers of the official runtime (runtime/__tests__/parity/http) against the kit's app on this host.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exceptions } from "../parity-exceptions";
import { startApp, type AppProcess } from "./app-process";

const kit = join(import.meta.dirname, "../../../__tests__/parity/http");
const MAX_EXCEPTIONS = 0.02;

const ids = (file: string, keep: (c: { edge?: boolean }) => boolean = () => true): string[] =>
  readFileSync(join(kit, file), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { id: string; edge?: boolean })
    .filter(keep)
    .map((c) => c.id);

const cases = [...ids("cases.jsonl", (c) => !c.edge), ...ids("streams.jsonl")];
const isStream = (id: string): boolean => id.startsWith("ws-");
const topicOf = (id: string): string => id.slice(0, id.indexOf("-") + (isStream(id) ? 2 : 1)) || id;
const topics = [...new Set(cases.map(topicOf))];

/** They set a variable of the app's module in one request and read it in another: it is each thread's own (B-31). */
const stateful = ["raw-finish-text-fired", "raw-finish-empty-fired"];

/** Cases that differ: id → the lines that show want and got. */
type Differing = Map<string, string>;

function check(app: AppProcess, prefixes: readonly string[]): Promise<Differing> {
  const args = [
    join(kit, "record.mjs"),
    "--base",
    `http://127.0.0.1:${app.port}`,
    "--check",
    join(kit, "answers.jsonl"),
    "--skip-edge",
    "--verbose",
    "--only",
    prefixes.join(","),
  ];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (_error, stdout, stderr) => {
      const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
      const asked = cases.filter((id) => prefixes.some((prefix) => id.startsWith(prefix))).length;
      if (Number(passed) + Number(failed) !== asked) return reject(new Error(`of ${asked} cases: ${stdout}${stderr}`));
      const differing = new Map<string, string>();
      for (const [, id, text] of stdout.matchAll(/^(\S+): (.*differ\n(?: {4}.*\n)*)/gm)) differing.set(id!, text!);
      resolve(differing);
    });
  });
}

/** The suite of a host whose handlers run in so many threads. */
export function answersAsRecorded(workerThreads: number): void {
  describe(`with ${workerThreads} thread(s)`, () => {
    let app: AppProcess;
    const differs: Differing = new Map();
    beforeAll(async () => {
      app = await startApp(join(kit, "app"), { config: { workerThreads } });
      // The scripts of streams wait a lot: they run beside the requests. One process each, as starting one takes longer than a topic.
      const halves = [topics.filter(isStream), topics.filter((topic) => !isStream(topic))];
      for (const half of await Promise.all(halves.map((half) => check(app, half))))
        for (const [id, text] of half) differs.set(id, text);
    }, 120_000);
    afterAll(() => app.stop());

    test.each(topics)("answers %s* as the official runtime does", (topic) => {
      const differing = new Map([...differs].filter(([id]) => id.startsWith(topic)));
      const isPerThread = (id: string): boolean => workerThreads > 1 && stateful.includes(id);
      const unexpected = [...differing].filter(([id]) => !(id in exceptions) && !isPerThread(id));
      const shown = unexpected.map(([id, text]) => `${id}: ${text}`).join("\n");
      expect(shown, shown).toBe("");
      const known = Object.keys(exceptions).filter((id) => id.startsWith(topic));
      expect(known.filter((id) => !differing.has(id) && !isPerThread(id))).toEqual([]);
    });
  });
}

/** How many cases differ on purpose. */
export function exceptionsStayFew(): void {
  test("the exceptions stay few, and each is a case of the kit", () => {
    const listed = Object.keys(exceptions);
    expect(listed.filter((id) => !cases.includes(id))).toEqual([]);
    expect(listed.length / cases.length).toBeLessThan(MAX_EXCEPTIONS);
  });
}
