// How requests come in: by the listener of this thread, by the listener that hands them to worker threads, or, in such a
// thread, from the main one.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Host } from "../host";
import { answering, type ThreadMember, type ThreadPool } from "../threads";
import { Failure } from "./failure";
import type { Front } from "./front";
import { pathOf } from "./inbound";
import { setRefusalHeaders } from "./malformed";
import { Listener, type Application } from "./server";
import { ENDING, LISTENING } from "./thread-messages";
import { relayRequest, relayUpgrade } from "./thread-relay";
import { serveRequests, type RequestServer } from "./thread-requests";

export const LOOPBACK = "127.0.0.1";

export interface Entrance {
  /** 0 before the start. */
  readonly port: number;
  start(): Promise<void>;
  /** Takes nothing more and resolves when the last answer is out. */
  drain(): Promise<void>;
}

/** What serves requests once they are in. */
export interface Inside extends RequestServer {
  front: Front;
  hasStreams: boolean;
  closeStreams(): void;
}

const LOST = Failure.internal("the worker thread that served the request ended");

function openListener(host: Host, { front, hasStreams }: Inside, server: RequestServer): Listener {
  const application: Application = {
    ...server,
    hasStreams,
    failed: (error) => host.log.error("the host failed to serve a request", error),
    takesUpgrade: (req) => front.takesUpgrade(req),
  };
  return new Listener(application);
}

async function listen(
  listener: Listener,
  { config: { listen: at, includeInternalMessage }, testMode }: Host,
  { front }: Inside,
): Promise<void> {
  setRefusalHeaders({
    cors: testMode ? [] : front.commonLines,
    edge: front.replier.withEdge([]),
    includeInternal: includeInternalMessage,
  });
  await listener.listen(testMode || !at ? LOOPBACK : at.host, testMode || !at ? 0 : at.port);
}

/** One thread does everything. */
export function ownEntrance(host: Host, inside: Inside): Entrance {
  const listener = openListener(host, inside, inside);
  return {
    get port() {
      return listener.port;
    },
    start: () => listen(listener, host, inside),
    async drain() {
      inside.closeStreams();
      await listener.drain();
    },
  };
}

/** The main thread: answers what is no endpoint's and hands on the rest. */
export function sharedEntrance(host: Host, inside: Inside, pool: ThreadPool): Entrance {
  const { front } = inside;
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    const pending = { req, res, trace: null };
    if (!front.serveOwn(pending, pathOf(req.url ?? "/")))
      relayRequest(pool, req, res, () => front.replier.fail(pending, LOST));
  };
  const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => relayUpgrade(pool, req, socket, head);
  const listener = openListener(host, inside, { serve, upgrade });
  return {
    get port() {
      return listener.port;
    },
    async start() {
      await listen(listener, host, inside);
      await pool.tell(LISTENING, listener.port);
    },
    async drain() {
      const told = pool.tell(ENDING, null);
      await listener.drain();
      await told;
    },
  };
}

/** A worker thread: serves what the main one hands over. */
export function threadEntrance(host: Host, inside: Inside, member: ThreadMember): Entrance {
  let port = 0;
  member.serve(
    LISTENING,
    answering(async (news) => void (port = news as number)),
  );
  member.serve(
    ENDING,
    answering(async () => inside.closeStreams()),
  );
  serveRequests(member, {
    upgrade: (req, socket, head) => inside.upgrade(req, socket, head),
    serve(req, res) {
      try {
        inside.serve(req, res);
      } catch (error) {
        host.log.error("the host failed to serve a request", error);
        res.destroy();
      }
    },
  });
  return {
    get port() {
      return port;
    },
    start: () => Promise.resolve(),
    drain: () => Promise.resolve(),
  };
}
