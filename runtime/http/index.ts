// The HTTP part of the host: one listener that is gateway and API server in one pass, and the calls between services.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Host, Part } from "../host";
import type { ApiCallError } from "../native/api-call";
import type { Request } from "../native/request";
import type { WebSocketClient } from "../native/streams";
import type { ApiRoute, CallOpts } from "../native/types";
import type { EncodedResponse } from "../schema/response-codec";
import type { ThreadRole } from "../threads";
import { HttpApp } from "./app";
import { apiCall, serveHere, type CallContext } from "./calls";
import { LOOPBACK, ownEntrance, sharedEntrance, threadEntrance, type Entrance, type Inside } from "./entrance";
import type { Exchange } from "./exchange";
import { Forwarder } from "./forward";
import { Front } from "./front";
import { callPeer, GATEWAY } from "./peers";
import { responseOn } from "./server";
import { openStream } from "./stream-calls";
import { StreamCodecCache } from "./stream-codecs";
import { callInThread, callThroughMain, passCalls, serveCalls } from "./thread-calls";
import { StreamServer, type Upgrading } from "./websocket";

export interface HttpPart extends Part {
  registerHandler(route: ApiRoute): void;
  setGatewayAuth(name: string, auth?: (...args: unknown[]) => unknown): void;
  /** Resolves to the response, null without one, or an ApiCallError; rejects for mistakes of the call itself. */
  apiCall(
    service: string,
    endpoint: string,
    payload: unknown,
    source: Request | null,
    opts?: CallOpts,
  ): Promise<object | null | ApiCallError>;
  stream(
    service: string,
    endpoint: string,
    payload: unknown,
    source: Request | null,
    opts?: CallOpts,
  ): Promise<WebSocketClient>;
  /** The port listened on; 0 before the start. */
  readonly port: number;
}

/** What serves requests and upgrades in this thread. */
function createInside(app: HttpApp, codecs: StreamCodecCache): Inside {
  const streams = new StreamServer(codecs, app.log);
  const upgrades = new WeakMap<IncomingMessage, Upgrading>();
  const front = new Front(
    app,
    (exchange, pending) => streams.accept(exchange, pending, upgrades.get(pending.req), front.replier),
    (exchange, pending, peer) => {
      const upgrading = upgrades.get(pending.req);
      if (upgrading) forwarder.upgrade(exchange, pending, peer, upgrading);
      else forwarder.request(exchange, pending, peer);
    },
  );
  const forwarder = new Forwarder(front.replier);
  return {
    front,
    hasStreams: app.hasStreams,
    serve: (req, res) => front.serve(req, res),
    upgrade(req: IncomingMessage, socket: Duplex, head: Buffer) {
      upgrades.set(req, { socket, head });
      front.serveUpgrade(req, responseOn(req, socket));
    },
    closeStreams() {
      streams.closeAll();
      forwarder.closeAll();
    },
  };
}

function openEntrance(host: Host, inside: Inside, role: ThreadRole): Entrance {
  if (role.kind === "main") return sharedEntrance(host, inside, role.pool);
  return role.kind === "worker" ? threadEntrance(host, inside, role.member) : ownEntrance(host, inside);
}

/** How a call of a service of this process is served: in this thread, or where the threads' roles say. */
function callHere(
  context: Omit<CallContext, "deliver">,
  role: ThreadRole,
): (exchange: Exchange) => Promise<EncodedResponse> {
  if (role.kind === "main") {
    passCalls(role.pool);
    return callInThread(role.pool);
  }
  if (role.kind === "worker") {
    serveCalls(role.member, context);
    return callThroughMain(role.member);
  }
  return (exchange) => serveHere(exchange, context.log);
}

/** What wrappers return since SDK 1.45 (G-52). */
function handlerOf({ handler, apiRoute }: ApiRoute): ApiRoute["handler"] {
  if (apiRoute === undefined) return handler;
  return (...args) => {
    const result = handler(...args);
    return result instanceof Promise ? result.then((payload: unknown) => ({ payload })) : { payload: result };
  };
}

export function createHttp(host: Host, role: ThreadRole = { kind: "alone" }): HttpPart {
  const app = new HttpApp(host);
  const codecs = new StreamCodecCache(host.model, host.newDecimal);
  const inside = createInside(app, codecs);
  const entrance = openEntrance(host, inside, role);
  const { peers } = app;
  const within: Omit<CallContext, "deliver"> = {
    peers,
    find: (service, name) => app.find(service, name),
    hasService: (name) => app.hasService(name),
    authenticator: app.authenticator,
    log: app.log,
    get host() {
      return `${LOOPBACK}:${entrance.port}`;
    },
  };
  const here = callHere(within, role);
  const context: CallContext = Object.assign(within, {
    deliver(exchange: Exchange, from: Request | null) {
      const peer = peers.of(exchange.endpoint.model.service);
      return peer ? callPeer(peer, exchange, peers.callerName(from)) : here(exchange);
    },
  });
  return {
    name: "http",
    takesWork: true,
    registerHandler(route) {
      app.find(route.service, route.name)?.register(handlerOf(route), host.testMode);
    },
    setGatewayAuth(name, auth) {
      if (name === GATEWAY && auth) app.authenticator?.setHandler(auth);
    },
    apiCall: (service, endpoint, payload, source, opts) => apiCall(context, [service, endpoint], payload, source, opts),
    stream: (service, endpoint, payload, source, opts) =>
      openStream(context, codecs, [service, endpoint], { payload, from: source, opts }),
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
