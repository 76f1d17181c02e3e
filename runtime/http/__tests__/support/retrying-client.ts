// Clients as a load balancer has them: a request is sent again when it certainly got no answer (the connection was
// refused, reset or closed before a byte of the answer came), and never otherwise. One over node's keep-alive
// agent, one that keeps several requests on the way on one connection.
import { Agent, request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";

export interface Job {
  path: string;
  /** Sent one after the other, with a pause between them when there are several. */
  body: string[];
}

export interface Answer {
  status: number;
  body: string;
}

/** Why requests were sent again. */
export interface Retries {
  refused: number;
  unanswered: number;
}

const HOST = "127.0.0.1";
const RETRY_MS = 10;
const PIECE_MS = 3;
const WINDOW = 3;
const RETRYABLE = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class RetryingClient {
  readonly retries: Retries = { refused: 0, unanswered: 0 };
  private readonly agent = new Agent({ keepAlive: true });

  constructor(private readonly port: number) {}

  /** Rejects when an answer began and did not arrive whole. */
  async send(job: Job): Promise<Answer> {
    for (;;) {
      const answer = await this.attempt(job);
      if (answer) return answer;
      await pause(RETRY_MS);
    }
  }

  close(): void {
    this.agent.destroy();
  }

  /** Null when the request got no answer. */
  private attempt({ path, body }: Job): Promise<Answer | null> {
    return new Promise((resolve, reject) => {
      const req = httpRequest({ agent: this.agent, host: HOST, port: this.port, method: "POST", path });
      let socket: Socket | undefined;
      let bytesBefore = 0;
      req.on("socket", (taken) => {
        socket = taken;
        bytesBefore = taken.bytesRead;
      });
      req.on("error", (error: NodeJS.ErrnoException) => {
        const isUnanswered = !socket || socket.bytesRead === bytesBefore;
        if (!isUnanswered || !RETRYABLE.has(error.code ?? "")) return reject(error);
        this.retries[error.code === "ECONNREFUSED" ? "refused" : "unanswered"]++;
        resolve(null);
      });
      req.on("response", (res) => {
        let text = "";
        res.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        res.on("error", reject);
        res.on("end", () => resolve({ status: res.statusCode ?? 0, body: text }));
      });
      void (async () => {
        for (const piece of body.slice(0, -1)) {
          req.write(piece);
          await pause(PIECE_MS);
        }
        req.end(body.at(-1));
      })();
    });
  }
}

interface Parsed {
  answer: Answer;
  rest: string;
}

/** The first whole answer of a text, when it is there. Only answers with a length are understood. */
function firstAnswer(text: string): Parsed | null {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return null;
  const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
  const end = head + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1]);
  if (Number.isNaN(end)) throw new Error(`an answer without a length:\n${text}`);
  return text.length < end ? null : { answer: { status, body: text.slice(head + 4, end) }, rest: text.slice(end) };
}

const wire = ({ path, body }: Job): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.join("").length}\r\n\r\n${body.join("")}`;

/** Sends all jobs with several at a time on the way on one connection; `answered` gets each answer, in order. */
export async function pipeline(
  port: number,
  jobs: Job[],
  retries: Retries,
  answered: (job: Job, answer: Answer) => void,
): Promise<void> {
  let waiting = jobs;
  while (waiting.length > 0) {
    const left = await oneConnection(port, waiting, retries, answered);
    if (left.length > 0) await pause(RETRY_MS);
    waiting = left;
  }
}

/** Resolves to the jobs that got no answer before the connection ended. */
function oneConnection(
  port: number,
  jobs: Job[],
  retries: Retries,
  answered: (job: Job, answer: Answer) => void,
): Promise<Job[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, HOST);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    let text = "";
    let sent = 0;
    let got = 0;
    const fill = (): void => {
      while (sent < jobs.length && sent - got < WINDOW) socket.write(wire(jobs[sent++]!), "latin1");
      if (got === jobs.length) socket.end();
    };
    socket.on("connect", fill);
    socket.on("data", (data) => {
      text += data.toString("latin1");
      try {
        for (let next = firstAnswer(text); next; next = firstAnswer(text)) {
          text = next.rest;
          answered(jobs[got++]!, next.answer);
        }
      } catch (error) {
        fail(error as Error);
      }
      if (!socket.writableEnded) fill();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (!RETRYABLE.has(error.code ?? "")) fail(error);
      else if (error.code === "ECONNREFUSED") retries.refused++;
    });
    socket.on("close", () => {
      if (text !== "") return fail(new Error(`an answer was cut: ${text}`));
      if (got < sent) retries.unanswered++;
      resolve(jobs.slice(got));
    });
  });
}
