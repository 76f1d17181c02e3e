// Part of fuzz.pg.test.ts and, in a short form, of every-endpoint.test.ts, whose app it shares: hostile requests over every endpoint there
// is. Never a 5xx, always the typed error shape, never a word of another organisation's document, and nowhere one of
// the secrets that were planted before.
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CommandsBeside } from "./support/commands-beside";
import { Asker, bearer, type Answer } from "./support/fuzz/asker";
import type { MailSink } from "./support/fuzz/mail-sink";
import type { Outside } from "./support/fuzz/outside";
import {
  metricsTokenIn,
  plantedIn,
  plantElsewhere,
  plantOperator,
  plantPerson,
  type Planted,
} from "./support/fuzz/planted";
import { createRandom } from "./support/fuzz/random";
import { describeRequest, nextRequest, type DrawnRequest, type FuzzRequest } from "./support/fuzz/requests";
import { isTypedError } from "./support/fuzz/typed-error";
import { FOREIGN, makeFuzzWorld } from "./support/fuzz/world";
import { until, type RunningApp } from "./support/running-app";

const LANES = 8;
/** A fuzzed request may end the session: whoever signs in again only after hundreds is refused at the door in most of them. */
const BATCH = 100;

interface Fuzzed {
  app: () => RunningApp;
  /** Of the environment already; all others are added. */
  planted: Planted;
  mails: () => MailSink;
  admin: CommandsBeside["admin"];
  /** What the app was given secrets for, where it was. */
  outside?: () => Outside;
  requests: number;
  /** Who plant some forty secrets each. */
  people: number;
  seed: number;
  /** Whatever else the app leaves something in, as text, by what it is. Bytes in tables are hexadecimal digits. */
  places: () => Promise<Record<string, string> & { tables: string }>;
}

/** What is wrong with an answer; undefined when nothing is. */
function complaint(request: FuzzRequest, answer: Answer, planted: Planted): string | undefined {
  if (answer.status >= 500) return `answered ${answer.status}: ${answer.body.slice(0, 300)}`;
  const told = plantedIn(planted, answer.body);
  if (told.length > 0) return `told ${told.join(", ")}: ${answer.body.slice(0, 300)}`;
  if (answer.body.includes(FOREIGN)) return `told another organisation's text: ${answer.body.slice(0, 300)}`;
  if (answer.status < 400 || request.method === "HEAD") return undefined;
  // Before any routing, by HTTP's own parser (`H-20` in runtime/CONTRACT.md): the line or the headers are too long.
  if (answer.status === 414 || answer.status === 431) return undefined;
  return isTypedError(request.path, answer.body)
    ? undefined
    : `answered ${answer.status} ${answer.type} without a code and a message in their form: ${answer.body.slice(0, 300)}`;
}

/** The application's own log lines about an answer: an internal error says nothing to its caller. */
function logOf(output: string, answer: Answer): string {
  const requestId = /"requestId":"(\w+)"/.exec(answer.body)?.[1];
  if (requestId === undefined) return "";
  const lines = output.split("\n").filter((line) => line.includes(requestId));
  return lines.map((line) => `\n    ${line.slice(0, 1_000)}`).join("");
}

export function hostileRequests(fuzzed: Fuzzed): void {
  const { app, planted, mails, admin, outside, requests, people, seed, places } = fuzzed;
  describe(`${requests} hostile requests (GROUNDWORK_FUZZ_SEED=${seed})`, () => {
    let asker: Asker;
    beforeAll(() => {
      asker = new Asker(app().baseUrl, LANES);
    });
    afterAll(() => asker?.close());

    test(
      "each is answered by something below 500, and each error is typed",
      async () => {
        const random = createRandom(seed);
        const ask = { asker, mails: mails() };
        const operator = await plantOperator(asker, planted, admin);
        const { world, renew } = await makeFuzzWorld(asker, operator, random);
        for (let person = 0; person < people; person++) {
          await plantPerson(ask, planted, `person-${person}`);
          if (outside !== undefined) await plantElsewhere(ask, planted, `person-${person}`, outside());
        }
        expect(planted.size).toBeGreaterThan(30 * people);
        expect(world.operations.length).toBeGreaterThan(100);
        const letIn = new Set<string>();
        const wrong: string[] = [];
        const statuses = new Map<number, number>();
        const lane = async (batch: DrawnRequest[]): Promise<void> => {
          for (let request = batch.pop(); request !== undefined; request = batch.pop()) {
            const answer = await asker.send(request).catch((error: Error) => ({
              ...{ status: 599, type: "", body: error.message, cookies: [] },
            }));
            if (answer.status < 300) letIn.add(request.operation);
            statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
            const problem = complaint(request, answer, planted);
            if (problem !== undefined)
              wrong.push(`${describeRequest(request)}\n    ${problem}${logOf(app().output(), answer)}`);
          }
        };
        for (let done = 0; done < requests && wrong.length < 20; done += BATCH) {
          await renew();
          // Every operation is asked, and then any.
          const batch = Array.from({ length: BATCH }, (_, at) =>
            nextRequest(world, random, world.operations[done + at]),
          );
          await Promise.all(Array.from({ length: LANES }, () => lane(batch)));
        }
        expect(wrong, `seed ${seed}`).toEqual([]);
        expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(requests);
        // A fuzzer that is only ever refused at the door tests the door.
        expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 404]));
        process.stdout.write(
          `fuzz: ${requests} requests, ${letIn.size} of ${world.operations.length} operations let some in\n`,
        );
        const isShort = requests < 1_000;
        expect(letIn.size).toBeGreaterThan(world.operations.length / (isShort ? 8 : 5));
        const operators = [...letIn].filter((operation) => operation.includes(" /operator/"));
        expect(operators.length).toBeGreaterThan(isShort ? 0 : 4);
        expect((await asker.send({ method: "GET", path: "/livez", headers: {} })).status).toBe(200);
      },
      Math.max(180_000, requests * 10),
    );

    test("none of the planted secrets is in a log line, a span, a metric, a dead letter or a table", async () => {
      // What looks for them finds what is there.
      expect(app().output().includes('"route":"auth.login"')).toBe(true);
      const scrape = (): Promise<Answer> =>
        asker.send({ method: "GET", path: "/metrics", headers: bearer(metricsTokenIn(planted)) });
      await until("mails were given up", async () => /^dead_letters\w*\{[^}]*\} [1-9]/m.test((await scrape()).body));
      const metrics = await scrape();
      expect(metrics.status).toBe(200);
      const { tables, ...others } = await places();
      expect(tables.includes(FOREIGN)).toBe(true);
      const everywhere = { logs: app().output(), metrics: metrics.body, tables, ...others };
      const found = Object.entries(everywhere).flatMap(([place, text]) =>
        plantedIn(planted, text).map((what) => `${what} in ${place}`),
      );
      const asBytes = [...planted].filter(([secret]) => tables.includes(Buffer.from(secret).toString("hex")));
      expect([...found, ...asBytes.map(([, what]) => `${what} in tables, as bytes`)]).toEqual([]);
    });

    test("bytes that are no HTTP do not end the process", async () => {
      const { hostname, port } = new URL(app().baseUrl);
      const garbage = [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "\u0016\u0003\u0001\u0002",
        `GET /${"a".repeat(200_000)} HTTP/1.1\r\n\r\n`,
        "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
      ];
      const answers = await Promise.all(
        garbage.map(
          (bytes) =>
            new Promise<string>((resolve) => {
              let text = "";
              const socket = connect(Number(port), hostname, () => socket.end(bytes));
              socket.on("data", (chunk) => (text += chunk.toString("latin1")));
              socket.on("error", () => resolve(text));
              socket.on("close", () => resolve(text));
              socket.setTimeout(5_000, () => socket.destroy());
            }),
        ),
      );
      expect(answers.filter((answer) => /^HTTP\/1\.1 5\d\d/.test(answer))).toEqual([]);
      expect((await asker.send({ method: "GET", path: "/livez", headers: {} })).status).toBe(200);
    });
  });
}
