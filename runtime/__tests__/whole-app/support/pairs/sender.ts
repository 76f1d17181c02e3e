// Sends thousands of requests to the running app: Node's `fetch` takes several times the work of the pool that it is made of.
import { Pool } from "undici";
import type { PairSend } from "./world";

/** Of a stream of events, which may have no end, the answer has no text. `closeSender` is for when all are asked. */
export function makeSender(baseUrl: () => string): { send: PairSend; closeSender: () => Promise<void> } {
  let pool: Pool | undefined;
  const send: PairSend = async ({ method, path, headers, body }) => {
    pool ??= new Pool(baseUrl());
    const answer = await pool.request({
      method,
      path,
      headers: { "content-type": "application/json", ...headers },
      body: body ?? null,
    });
    const told = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(", ")] as const);
    const isStream = String(answer.headers["content-type"]).startsWith("text/event-stream");
    if (isStream) answer.body.on("error", () => undefined).destroy();
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(told),
      text: isStream ? "" : await answer.body.text(),
    };
  };
  return { send, closeSender: async () => pool?.destroy() };
}
