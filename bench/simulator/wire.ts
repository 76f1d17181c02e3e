// A wire between one process of the app and one server: TCP, handed on byte by byte, until it is cut or falls silent.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Wire {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private isSilent = false;
  /** What came while it was silent. */
  private waiting: Socket[] = [];

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {}

  /** From a free port of the loopback interface to where `url` leads. */
  static async to(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url);
    const server = createServer();
    const wire = new Wire(server, { host: hostname, port: Number(port) });
    server.on("connection", (near) => wire.accept(near));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  /** `url`, by this wire. */
  through(url: string): string {
    const changed = new URL(url);
    changed.hostname = "127.0.0.1";
    changed.port = String((this.server.address() as AddressInfo).port);
    return changed.href;
  }

  /** Ends every connection by a reset. */
  cut(): void {
    for (const pair of this.pairs) this.end(pair);
    for (const near of this.waiting.splice(0)) near.resetAndDestroy();
  }

  /** Nothing arrives any more, in either direction, and nothing says so. */
  silence(): void {
    this.isSilent = true;
    for (const [near, far] of this.pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  /** What was on its way arrives now. */
  resume(): void {
    this.isSilent = false;
    for (const [near, far] of this.pairs) {
      near.pipe(far);
      far.pipe(near);
    }
    for (const near of this.waiting.splice(0)) if (!near.destroyed) this.join(near);
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(near: Socket): void {
    near.on("error", () => near.destroy());
    if (this.isSilent) this.waiting.push(near.pause());
    else this.join(near);
  }

  private join(near: Socket): void {
    const far = connect({ ...this.target, noDelay: true });
    const pair = [near.setNoDelay(true), far] as const;
    this.pairs.add(pair);
    for (const socket of pair) socket.on("error", () => this.end(pair)).on("close", () => this.end(pair));
    near.pipe(far);
    far.pipe(near);
  }

  private end(pair: readonly [Socket, Socket]): void {
    if (!this.pairs.delete(pair)) return;
    for (const socket of pair) if (!socket.destroyed) socket.resetAndDestroy();
  }
}
