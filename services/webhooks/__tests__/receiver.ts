// A receiver of webhooks: a real server on this machine, which does what a test says and remembers what it was sent.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  id: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Act = (received: Received, response: ServerResponse, request: IncomingMessage) => void;

export const answering =
  (status: number, headers: Record<string, string> = {}, text = ""): Act =>
  (_, response) =>
    void response.writeHead(status, headers).end(text);

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** From now on. */
  act: Act;
  close: () => void;
}

export async function startReceiver(act: Act = answering(204)): Promise<Receiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { headers } = request;
      const received = { id: String(headers["webhook-id"]), headers, body: Buffer.concat(chunks).toString() };
      receiver.received.push(received);
      receiver.act(received, response, request);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    received: [],
    act,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return receiver;
}
