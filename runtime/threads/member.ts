// A worker thread's side: one link to the main thread, and the moment when it takes work.
import { MessageChannel, parentPort } from "node:worker_threads";
import { Link, type Serve } from "./link";
import type { Joining } from "./pool";

export class ThreadMember {
  private readonly served = new Map<string, Serve>();
  private readonly ports = new MessageChannel();
  readonly link = new Link(this.ports.port1, this.served, 1);

  serve(kind: string, serve: Serve): void {
    this.served.set(kind, serve);
  }

  /** Takes work from now on. The port keeps the thread alive. */
  join(): void {
    const joining: Joining = { "groundwork.join": this.ports.port2 };
    parentPort?.postMessage(joining, [this.ports.port2]);
  }
}
