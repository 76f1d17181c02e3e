// Many conversations over one MessagePort between two threads. Each is a channel: opened by either side under a kind
// that the other side serves, carrying messages in order both ways, ended by either side.
import type { MessagePort, TransferListItem } from "node:worker_threads";

/** What a conversation ends with when the thread on its other side has ended. */
export class ThreadLost extends Error {
  constructor() {
    super("the worker thread that had this in hand ended");
  }
}

export interface Channel {
  send(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Ends the channel for both sides. */
  close(): void;
  /** Ends the channel without telling the other side, which knows it by the last message. */
  forget(): void;
  /** Set by whoever holds the channel before the next turn of the event loop. */
  onMessage: (message: unknown) => void;
  /** The other side ended it; `lost` when its thread is no more. Not called after `close` or `forget`. */
  onClose: (lost: boolean) => void;
  /** Called once, however the channel ended. */
  onEnd: () => void;
}

export type Serve = (opening: unknown, channel: Channel) => void;

/** [channel, kind, opening] begins; [channel, message] goes on; [channel] ends. */
type Frame = [id: number, kind: string, opening: unknown] | [id: number, message: unknown] | [id: number];

type Answer = { value: unknown } | { thrown: unknown };

const nothing = (): void => undefined;

export class Link {
  private readonly channels = new Map<number, Channel>();
  private next: number;

  /** `first` keeps the two sides' numbers apart: 0 on one side, 1 on the other. `served` may grow later. */
  constructor(
    private readonly port: MessagePort,
    private readonly served: ReadonlyMap<string, Serve>,
    first: 0 | 1,
  ) {
    this.next = first;
    port.on("message", (frame: Frame) => this.receive(frame));
  }

  open(kind: string, opening: unknown, transfer: readonly ArrayBuffer[] = []): Channel {
    const id = this.next;
    this.next += 2;
    const channel = this.channel(id);
    this.post([id, kind, opening], transfer);
    return channel;
  }

  /** One question, one answer. @throws what the other side's `answering` threw, or ThreadLost */
  ask(kind: string, question: unknown): Promise<unknown> {
    const channel = this.open(kind, question);
    return new Promise((resolve, reject) => {
      channel.onClose = () => reject(new ThreadLost());
      channel.onMessage = (message) => {
        const answer = message as Answer;
        channel.forget();
        if ("thrown" in answer) reject(answer.thrown);
        else resolve(answer.value);
      };
    });
  }

  /** The other thread has ended: so has every channel. */
  lost(): void {
    for (const [id, channel] of this.channels) {
      this.channels.delete(id);
      channel.onEnd();
      channel.onClose(true);
    }
  }

  private post(frame: Frame, transfer: readonly ArrayBuffer[]): void {
    this.port.postMessage(frame, transfer as readonly TransferListItem[]);
  }

  private channel(id: number): Channel {
    const drop = (): boolean => {
      const known = this.channels.delete(id);
      if (known) channel.onEnd();
      return known;
    };
    const channel: Channel = {
      onMessage: nothing,
      onClose: nothing,
      onEnd: nothing,
      send: (message, transfer = []) => {
        if (this.channels.has(id)) this.post([id, message], transfer);
      },
      close: () => {
        if (drop()) this.post([id], []);
      },
      forget: () => void drop(),
    };
    this.channels.set(id, channel);
    return channel;
  }

  private receive(frame: Frame): void {
    const [id] = frame;
    if (frame.length === 3) {
      const channel = this.channel(id);
      const serve = this.served.get(frame[1]);
      if (serve) serve(frame[2], channel);
      else channel.close();
      return;
    }
    const channel = this.channels.get(id); // unknown: this side ended it while the frame was on its way
    if (frame.length === 2) return channel?.onMessage(frame[1]);
    this.channels.delete(id);
    channel?.onEnd();
    channel?.onClose(false);
  }
}

/** What can be said of a thrown value in another thread: errors keep name, message and stack. */
function carried(thrown: unknown): Error {
  return thrown instanceof Error
    ? Object.assign(new Error(thrown.message), { stack: thrown.stack })
    : new Error(String(thrown));
}

/** Serves `Link.ask`. What is thrown arrives as a plain Error with the same message and stack. */
export function answering(answer: (question: unknown) => Promise<unknown>): Serve {
  return (question, channel) => {
    const reply = (said: Answer): void => {
      channel.send(said);
      channel.forget();
    };
    answer(question).then(
      (value) => reply({ value }),
      (thrown: unknown) => reply({ thrown: carried(thrown) }),
    );
  };
}
