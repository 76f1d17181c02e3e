// The other system that the simulator's sagas call: it acts once for a key, and refuses a charge that comes behind its refund.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Payment } from "./ledger";

export class Payments {
  /** By intent: each saga charges once. */
  readonly made = new Map<string, Payment>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      this.act(request).then(
        (status) => response.writeHead(status).end(),
        () => response.destroy(),
      );
    });
  }

  static async start(): Promise<Payments> {
    const payments = new Payments();
    await new Promise<void>((resolve) => payments.server.listen(0, "127.0.0.1", resolve));
    return payments;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async act(request: IncomingMessage): Promise<number> {
    const { intent, key } = JSON.parse(await text(request)) as { intent: string; key: string };
    const known = this.made.get(intent) ?? { keys: new Set<string>(), state: "none" };
    this.made.set(intent, known);
    known.keys.add(key);
    if (request.url === "/refund") known.state = "refunded";
    else if (known.state === "refunded") return 409;
    else known.state = "charged";
    return 200;
  }
}
