// The HTTP part of the host: one listener that is gateway and API server in one pass, and the calls between services.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Host, Part } from "../host";
import type { ApiCallError } from "../native/api-call";
import type { Request } from "../native/request";
import type { WebSocketClient } from "../native/streams";
import type { ApiRoute, CallOpts } from "../native/types";
import type { ThreadRole } from "../threads";
import { HttpApp } from "./app";
import { apiCall, serveHere, type CallContext } from "./calls";
import { LOOPBACK, ownEntrance, sharedEntrance, threadEntrance, type Entrance, type Inside } from "./entrance";
import { Front } from "./front";
import { responseOn } from "./server";
import { openStream } from "./stream-calls";
import { StreamCodecCache } from "./stream-codecs";
import { callInThread, callThroughMain, passCalls, serveCalls } from "./thread-calls";
import { StreamServer, type Upgrading } from "./websocket";

export interface HttpPart extends Part {
  registerHandler(route: ApiRoute): void;
  setGatewayAuth(name: string, auth?: (...args: unknown[]) => unknown): void;
  /** Resolves to the response, null without one, or an ApiCallError; rejects for mistakes of the call itself. */
  apiCall(service: string, endpoint: string, payload: unknown, source: Request | null, opts?: CallOpts): Promise<object | null | ApiCallError>;
  stream(service: string, endpoint: string, payload: unknown, source: Request | null, opts?: CallOpts): Promise<WebSocketClient>;
  /** The port listened on; 0 before the start. */
  readonly port: number;
}

const GATEWAY = "api-gateway";

/** What serves requests and upgrades in this thread. */
function createInside(app: HttpApp, codecs: StreamCodecCache): Inside {
  const streams = new StreamServer(codecs, app.log);
  const upgrades = new WeakMap<IncomingMessage, Upgrading>();
  const front = new Front(app, (exchange, pending) => streams.accept(exchange, pending, upgrades.get(pending.req), front.replier));
  return {
    front,
    hasStreams: app.hasStreams,
    serve: (req, res) => front.serve(req, res),
    upgrade(req: IncomingMessage, socket: Duplex, head: Buffer) {
      upgrades.set(req, { socket, head });
      front.serveUpgrade(req, responseOn(req, socket));
    },
    closeStreams: () => streams.closeAll(),
  };
}

function openEntrance(host: Host, inside: Inside, role: ThreadRole): Entrance {
  if (role.kind === "main") return sharedEntrance(host, inside, role.pool);
  return role.kind === "worker" ? threadEntrance(host, inside, role.member) : ownEntrance(host, inside);
}

/** Lets calls go where the threads' roles say. */
function routeCalls(context: CallContext, role: ThreadRole): void {
  if (role.kind === "main") {
    context.deliver = callInThread(role.pool);
    passCalls(role.pool);
  } else if (role.kind === "worker") {
    context.deliver = callThroughMain(role.member);
    serveCalls(role.member, context);
  }
}

export function createHttp(host: Host, role: ThreadRole = { kind: "alone" }): HttpPart {
  const app = new HttpApp(host);
  const codecs = new StreamCodecCache(host.model, host.newDecimal);
  const inside = createInside(app, codecs);
  const entrance = openEntrance(host, inside, role);
  const context: CallContext = {
    find: (service, name) => app.find(service, name),
    hasService: (name) => app.hasService(name),
    authenticator: app.authenticator,
    log: app.log,
    get host() {
      return `${LOOPBACK}:${entrance.port}`;
    },
    deliver: (exchange) => serveHere(exchange, app.log),
  };
  routeCalls(context, role);
  return {
    name: "http",
    takesWork: true,
    registerHandler(route) {
      app.find(route.service, route.name)?.register(route.handler, host.testMode);
    },
    setGatewayAuth(name, auth) {
      if (name === GATEWAY && auth) app.authenticator?.setHandler(auth);
    },
    apiCall: (service, endpoint, payload, source, opts) => apiCall(context, [service, endpoint], payload, source, opts),
    stream: (service, endpoint, payload, source, opts) => openStream(context, codecs, [service, endpoint], { payload, from: source, opts }),
    get port() {
      return entrance.port;
    },
    start: () => entrance.start(),
    announceEnd() {
      inside.front.isDraining = true;
    },
    drain: () => entrance.drain(),
  };
}
