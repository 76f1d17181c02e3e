// The way of a request from the socket to its endpoint: host routes, pre-flight, routing, authentication, decoding.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpApp } from "./app";
import { readBody } from "./body";
import { readMeta, type MetaIn } from "./call-meta";
import type { Endpoint } from "./endpoint";
import { Exchange, type Caller } from "./exchange";
import { Failure, fromCodec } from "./failure";
import { health, HEALTH_PATH, HOST_PREFIX } from "./healthz";
import { headerValues, pathOf, SocketInbound } from "./inbound";
import type { Peer } from "./peers";
import { serveRaw } from "./raw";
import { mergeProtocolHeaders } from "./protocol-headers";
import { corsRequest, Replier, type Pending } from "./reply";
import { withExtra } from "./result";
import { admit, decodeHead, NO_HANDLER, serveTyped, type TypedReply } from "./service-side";
import { serveStatic } from "./static-assets";
import { Trace } from "../trace";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]);
/** A hundred headers: names and values. */
const MAX_HEADER_LINES = 200;
const NO_BODY = new Set([204, 304]);

/** Takes over once a request to a stream endpoint is decoded and let in. */
export type StreamUpgrade = (exchange: Exchange, pending: Pending) => void;

/** Takes over a request to a service of another process, once its caller is known. */
export type Forward = (exchange: Exchange, pending: Pending, peer: Peer) => void;

export class Front {
  readonly replier: Replier;
  isDraining = false;
  /** Whether this process is the gateway: CORS and authentication are its business. */
  private readonly isGateway: boolean;

  constructor(
    private readonly app: HttpApp,
    private readonly upgrade: StreamUpgrade,
    private readonly forward: Forward,
  ) {
    const { config, testMode } = app.host;
    this.isGateway = config.hostsGateway && !testMode;
    this.replier = new Replier({
      cors: this.isGateway ? app.cors : null,
      edge: config.edgeHeaders,
      includeInternal: config.includeInternalMessage,
    });
  }

  /** Headers that every answer of the gateway has. */
  get commonLines(): readonly string[] {
    return this.app.cors.common;
  }

  /** Serves one request, whichever way it came. */
  serve(req: IncomingMessage, res: ServerResponse): void {
    const pending: Pending = { req, res, trace: null };
    const path = pathOf(req.url ?? "/");
    if (this.serveOwn(pending, path)) return;
    const method = req.method ?? "GET";
    if (method === "OPTIONS" && this.isGateway) return this.preflight(pending);
    if (!METHODS.has(method)) {
      return this.replier.reject(
        pending,
        new Failure("invalid_argument", "invalid method", `invalid method: ${method}`),
      );
    }
    const routed = this.app.router.find(method, path);
    if (routed.kind === "noRoute") return this.replier.reject(pending, notRouted(routed.isKnown, method, path));
    pending.trace = new Trace();
    if (routed.kind === "notAllowed") return this.replier.send(pending, 405, ["allow", routed.allow.join(",")], null);
    const meta = this.recognise(req.rawHeaders);
    if (meta instanceof Failure) return this.replier.fail(pending, meta);
    if (meta) pending.trace = meta.trace;
    const exchange = new Exchange(
      routed.endpoint,
      new SocketInbound(req, path, meta !== null),
      routed.params,
      pending.trace,
    );
    if (!meta) return this.authenticate(exchange, pending);
    pending.from = meta.isGateway ? "gateway" : "service";
    exchange.isInside = !meta.isGateway;
    this.route(exchange, pending, meta.user);
  }

  /** Which process of the app calls; null for clients. A gateway takes whom it does not recognise for a client. */
  private recognise(lines: readonly string[]): MetaIn | Failure | null {
    const { config, testMode } = this.app.host;
    const keys = config.serviceKeys ?? [];
    if (keys.length === 0 && (this.isGateway || testMode)) return null;
    try {
      return readMeta(lines, keys, this.app.authenticator);
    } catch (error) {
      return this.isGateway ? null : fromCodec(error);
    }
  }

  /** Serves what no endpoint has a part in; false when the request is for the app. */
  serveOwn(pending: Pending, path: string): boolean {
    const { req, res } = pending;
    // URLs of primitives, such as buckets': only an app that uses one has any.
    if (this.app.host.front?.some((answer) => answer(req, res))) return true;
    if (req.rawHeaders.length > MAX_HEADER_LINES) this.replier.send(pending, 431, [], null);
    else if (path.startsWith(HOST_PREFIX)) this.hostRoute(pending, path);
    else return false;
    return true;
  }

  /** Whether an upgrade goes to a stream endpoint, or nowhere: everything else ignores `Upgrade`. */
  takesUpgrade(req: IncomingMessage): boolean {
    const routed = this.app.router.find(req.method ?? "GET", pathOf(req.url ?? "/"));
    return routed.kind === "found" && routed.endpoint.kind === "stream";
  }

  /** Serves an upgrade request, with the headers that browsers can only pass in the sub-protocol. */
  serveUpgrade(req: IncomingMessage, res: ServerResponse): void {
    const lines = mergeProtocolHeaders(req.rawHeaders);
    if (lines === null) return this.replier.rejectBare({ req, res, trace: null }, 400);
    req.rawHeaders = lines;
    req.headers["sec-websocket-protocol"] = headerValues(lines, "sec-websocket-protocol").join(", ") || undefined;
    this.serve(req, res);
  }

  private hostRoute(pending: Pending, path: string): void {
    if (path !== HEALTH_PATH) return this.replier.bare(pending, 404, [], null);
    const { status, body } = health(this.app.host.config, this.isDraining);
    this.replier.bare(pending, status, ["content-type", "application/json"], body);
  }

  private preflight(pending: Pending): void {
    const lines = this.app.cors.preflightLines(corsRequest(pending.req));
    this.replier.bare(pending, 200, lines, null);
  }

  private authenticate(exchange: Exchange, pending: Pending): void {
    const { authenticator } = this.app;
    if (!authenticator || !this.isGateway) return this.route(exchange, pending, null);
    authenticator.authenticate(exchange.inbound, pending.trace!, {
      known: (caller) => this.route(exchange, pending, caller),
      nobody: (reason) => {
        if (exchange.endpoint.model.auth) this.replier.reject(pending, reason);
        else this.route(exchange, pending, null);
      },
      failed: (failure, atGateway) => {
        if (atGateway) this.replier.reject(pending, failure);
        else this.replier.fail(pending, failure);
      },
    });
  }

  private route(exchange: Exchange, pending: Pending, caller: Caller | null): void {
    exchange.caller = caller;
    const peer = this.app.peers.of(exchange.endpoint.model.service);
    if (peer) return this.forward(exchange, pending, peer);
    const failed = decodeHead(exchange);
    if (failed) return this.replier.fail(pending, failed);
    const { endpoint } = exchange;
    if (endpoint.kind === "typed") return this.typed(exchange, pending, endpoint);
    if (endpoint.kind === "stream") return this.upgrade(exchange, pending);
    const refused = admit(exchange, exchange.isInside);
    if (refused) return this.replier.fail(pending, refused);
    if (endpoint.kind === "static")
      return serveStatic(exchange, pending, this.replier, this.app.host.config, this.app.log);
    const handler = endpoint.handler();
    if (!handler) return this.replier.fail(pending, NO_HANDLER);
    serveRaw(exchange, handler, pending, this.replier, this.app.log);
  }

  private typed(exchange: Exchange, pending: Pending, endpoint: Endpoint): void {
    const serve = (): void => serveTyped(exchange, exchange.isInside, this.app.log, this.typedReply(pending));
    if (!exchange.readsBody) return serve();
    readBody(pending.req, endpoint.model.bodyLimit, {
      done: (body) => {
        exchange.body = body;
        serve();
      },
      failed: (failure) => this.replier.fail(pending, failure),
    });
  }

  private typedReply(pending: Pending): TypedReply {
    return {
      ok: ({ status, headers, body }, extra) => {
        if (status < 200) return this.replier.send(pending, 500, [], null);
        const isJson = body !== null;
        if (extra === null && isJson)
          return this.replier.json(pending, status, headers, NO_BODY.has(status) ? "" : body);
        if (extra !== null && headers === null && isJson)
          return this.replier.jsonWith(pending, status, extra, NO_BODY.has(status) ? "" : body);
        const list = isJson ? [...(headers ?? []), "content-type", "application/json"] : (headers ?? []);
        const lines = withExtra(list, extra);
        this.replier.send(pending, status, lines, NO_BODY.has(status) ? null : body);
      },
      fail: (failure, extra) => this.replier.fail(pending, failure, withExtra([], extra)),
    };
  }
}

function notRouted(isKnown: boolean, method: string, path: string): Failure {
  if (isKnown) return new Failure("not_found", "no route for method", `no route for method ${method}: ${path}`);
  return new Failure("not_found", "endpoint not found", `no such endpoint exists: ${path}`);
}
