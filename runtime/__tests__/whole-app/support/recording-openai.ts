// An embeddings server of the OpenAI protocol that outlives the app: it remembers what it was asked and when it
// answered, so that a test can tell what an app that was killed had paid for.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface EmbeddingRequest {
  texts: string[];
  /** performance.now(); undefined while it has not been answered. */
  answeredAtMs?: number;
}

export interface RecordingOpenAi {
  baseUrl: string;
  requests: EmbeddingRequest[];
  stop(): void;
}

/** Answers each request after `delayMs`, with vectors made from the texts' hashes. */
export async function startRecordingOpenAi(delayMs: number): Promise<RecordingOpenAi> {
  const requests: EmbeddingRequest[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      const { input } = JSON.parse(body) as { input: string[] };
      const recorded: EmbeddingRequest = { texts: input };
      requests.push(recorded);
      setTimeout(() => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(
          JSON.stringify({ data: input.map((text, index) => ({ index, embedding: vectorOf(text) })) }),
          () => (recorded.answeredAtMs = performance.now()),
        );
      }, delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, stop };
}

function vectorOf(text: string): number[] {
  return [...createHash("shake256", { outputLength: 512 }).update(text).digest()].map((byte) => byte - 127.5);
}
