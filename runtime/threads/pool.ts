// The main thread's side of worker threads (contract 12.5): knows the threads that encore.dev's `run` starts, and gives
// each piece of work to the one that has the least in hand, in turn where several have.
import { type MessagePort, type Worker } from "node:worker_threads";
import { Link, type Channel, type Serve } from "./link";

/** What a thread says on its own port once its handlers are registered. */
export interface Joining {
  "groundwork.join": MessagePort;
}

interface Member {
  link: Link;
  inHand: number;
}

export interface Opened {
  channel: Channel;
  /** The thread is not busy with it any more, though the channel lives on: an open stream is no reason to spare a thread. */
  release(): void;
}

/** How a thread ended that should not have. */
export interface Loss {
  exitCode: number;
  /** What it did not catch; absent when it ended itself. */
  error?: unknown;
}

function isJoining(message: unknown): message is Joining {
  return typeof message === "object" && message !== null && "groundwork.join" in message;
}

export class ThreadPool {
  private readonly members: Member[] = [];
  private readonly served = new Map<string, Serve>();
  private turn = 0;
  private tellJoined: () => void = () => undefined;
  private tellLoss: (loss: Loss) => void = () => undefined;
  /** Resolves when all threads have joined. */
  readonly joined = new Promise<void>((resolve) => (this.tellJoined = resolve));
  /** Resolves with the first thread that ends. */
  readonly loss = new Promise<Loss>((resolve) => (this.tellLoss = resolve));

  constructor(private readonly size: number) {
    process.on("worker", (worker: Worker) => {
      worker.on("message", (message: unknown) => {
        if (isJoining(message)) this.join(worker, message["groundwork.join"]);
      });
    });
  }

  /** Only threads that joined are ours: an app's own workers end as they like. */
  private join(worker: Worker, port: MessagePort): void {
    const member: Member = { link: new Link(port, this.served, 0), inHand: 0 };
    let uncaught: { error?: unknown } = {};
    worker.on("error", (error) => (uncaught = { error }));
    worker.on("exit", (exitCode) => {
      this.members.splice(this.members.indexOf(member), 1);
      member.link.lost();
      this.tellLoss({ exitCode, ...uncaught });
    });
    this.members.push(member);
    if (this.members.length === this.size) this.tellJoined();
  }

  serve(kind: string, serve: Serve): void {
    this.served.set(kind, serve);
  }

  private pick(): Member | undefined {
    const { members } = this;
    let best: Member | undefined;
    for (let i = 0; i < members.length; i++) {
      const member = members[(this.turn + i) % members.length];
      if (member && (!best || member.inHand < best.inHand)) best = member;
    }
    if (best) this.turn = (members.indexOf(best) + 1) % members.length;
    return best;
  }

  /** Gives work to a thread; null when none is left. */
  open(kind: string, opening: unknown, transfer?: readonly ArrayBuffer[]): Opened | null {
    const member = this.pick();
    if (!member) return null;
    let busy = true;
    const release = (): void => {
      if (busy) member.inHand--;
      busy = false;
    };
    member.inHand++;
    const channel = member.link.open(kind, opening, transfer);
    channel.onEnd = release;
    return { channel, release };
  }

  /** Asks one thread. @throws what it threw, or ThreadLost */
  async ask(kind: string, question: unknown): Promise<unknown> {
    const member = this.pick();
    if (!member) throw new Error("no worker thread is left");
    member.inHand++;
    try {
      return await member.link.ask(kind, question);
    } finally {
      member.inHand--;
    }
  }

  /** Tells every thread and resolves when all have answered or ended. */
  async tell(kind: string, news: unknown): Promise<void> {
    await Promise.allSettled(this.members.map(({ link }) => link.ask(kind, news)));
  }
}
