// The HTTP part of the host: one listener that is gateway and API server in one pass, and the calls between services.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Host, Part } from "../host";
import type { ApiCallError } from "../native/api-call";
import type { Request } from "../native/request";
import type { WebSocketClient } from "../native/streams";
import type { ApiRoute, CallOpts } from "../native/types";
import { HttpApp } from "./app";
import { apiCall, type CallContext } from "./calls";
import { Front } from "./front";
import { setRefusalHeaders } from "./malformed";
import { Listener } from "./server";
import { openStream } from "./stream-calls";
import { StreamCodecCache } from "./stream-codecs";
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

const LOOPBACK = "127.0.0.1";
const GATEWAY = "api-gateway";

export function createHttp(host: Host): HttpPart {
  const app = new HttpApp(host);
  const codecs = new StreamCodecCache(host.model, host.newDecimal);
  const streams = new StreamServer(codecs, app.log);
  const upgrades = new WeakMap<IncomingMessage, Upgrading>();
  const front = new Front(app, (exchange, pending) => streams.accept(exchange, pending, upgrades.get(pending.req), front.replier));
  const listener = new Listener({
    hasStreams: app.hasStreams,
    serve: (req, res) => front.serve(req, res),
    failed: (error) => host.log.error("the host failed to serve a request", error),
    takesUpgrade: (req) => front.takesUpgrade(req),
    upgrade(req: IncomingMessage, res: ServerResponse, socket: Duplex, head: Buffer) {
      upgrades.set(req, { socket, head });
      front.serveUpgrade(req, res);
    },
  });
  const context: CallContext = {
    find: (service, name) => app.find(service, name),
    hasService: (name) => app.hasService(name),
    authenticator: app.authenticator,
    log: app.log,
    get host() {
      return `${LOOPBACK}:${listener.port}`;
    },
  };
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
      return listener.port;
    },
    async start() {
      const cors = host.testMode ? [] : app.cors.common;
      setRefusalHeaders({ cors, edge: front.replier.withEdge([]), includeInternal: host.config.includeInternalMessage });
      const { listen } = host.config;
      await listener.listen(host.testMode || !listen ? LOOPBACK : listen.host, host.testMode || !listen ? 0 : listen.port);
    },
    announceEnd() {
      front.isDraining = true;
    },
    async drain() {
      streams.closeAll();
      await listener.drain();
    },
  };
}
