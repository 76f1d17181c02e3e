// Services that other processes host (contract 12.3, `service_discovery`): where they are, and requests to them.
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Host } from "../host";
import { Request } from "../native/request";
import type { EncodedResponse } from "../schema/response-codec";
import { withMeta, type MetaOut } from "./call-meta";
import { Exchange } from "./exchange";
import { Failure } from "./failure";
import type { Scope } from "./service-auth";

export const GATEWAY = "api-gateway";

/** For a connection to a peer, its TLS included. */
const CONNECT_LIMIT_MS = 10_000;
/**
 * How long a peer may say nothing while a call waits for its answer. Encore has no such limit (G-49), so it is longer than any
 * call is meant to take: it ends those whose peer hangs, or is gone without a word, as after the loss of its host.
 */
const SILENCE_LIMIT_MS = 10 * 60_000;

export interface PeerLimits {
  connectMs: number;
  silenceMs: number;
}

export interface PeerRequest {
  method: string;
  /** Path and query. */
  target: string;
  /** Names and values in turn. */
  lines: readonly string[];
}

/** The process that hosts a service. */
export class Peer {
  readonly url: URL;
  private readonly agent: HttpAgent;

  constructor(
    readonly service: string,
    private readonly at: NonNullable<Host["config"]["peers"]>[string],
    private readonly scope: Scope,
    readonly limits: PeerLimits = { connectMs: CONNECT_LIMIT_MS, silenceMs: SILENCE_LIMIT_MS },
  ) {
    this.url = new URL(at.baseUrl);
    this.agent = this.isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  }

  private get isTls(): boolean {
    return this.url.protocol === "https:";
  }

  /** The path of `target` behind the base address. */
  path(target: string): string {
    return this.url.pathname.replace(/\/$/, "") + target;
  }

  /** The header lines of a request to this process: its host, and who calls. */
  headers(lines: readonly string[], meta: MetaOut): string[] {
    const own: string[] = [];
    for (let i = 0; i < lines.length; i += 2)
      if (lines[i]?.toLowerCase() !== "host") own.push(lines[i] ?? "", lines[i + 1] ?? "");
    return ["host", this.url.host, ...withMeta(own, meta, this.at.key, this.scope)];
  }

  /** A request under way; `lines` are complete. An upgrade gets a connection of its own. */
  request({ method, target, lines }: PeerRequest, isUpgrade = false): ClientRequest {
    const send = this.isTls ? httpsRequest : httpRequest;
    const sent = send({
      protocol: this.url.protocol,
      hostname: this.url.hostname.replace(/^\[|\]$/g, ""),
      port: this.url.port,
      path: this.path(target),
      method,
      headers: lines as string[],
      agent: isUpgrade ? false : this.agent,
      setHost: false,
    });
    return limitConnecting(sent, this.isTls ? "secureConnect" : "connect", this.limits.connectMs);
  }
}

/** Ends a request whose connection is not there in time; one that was there before is. */
function limitConnecting(sent: ClientRequest, made: "connect" | "secureConnect", limitMs: number): ClientRequest {
  sent.once("socket", (socket) => {
    if (sent.reusedSocket) return;
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${limitMs} ms`)), limitMs);
    for (const over of [made, "close"]) socket.once(over, () => clearTimeout(timer));
  });
  return sent;
}

export class Peers {
  private readonly known = new Map<string, Peer>();
  private readonly deployId: string;
  private readonly authHandler: string | undefined;

  constructor({ config, model }: Host) {
    const hosted = new Set(config.hostedServices ?? model.services.map(({ name }) => name));
    const scope = { appId: config.appId, environment: config.environment.name };
    for (const [service, at] of Object.entries(config.peers ?? {}))
      if (!hosted.has(service)) this.known.set(service, new Peer(service, at, scope));
    this.deployId = config.deployId;
    this.authHandler = model.authHandler && `${model.authHandler.service}.${model.authHandler.name}`;
  }

  /** Undefined for services of this process. */
  of(service: string): Peer | undefined {
    return this.known.get(service);
  }

  /** Who calls, as the called process is told. */
  callerName(from: Request | null): string {
    if (!from) return `app:${this.deployId}`;
    const source = Request.sourceOf(from);
    if (source instanceof Exchange) return `api:${source.endpoint.name}`;
    const message = source.meta().pubsubMessage;
    return message
      ? `pubsub:${message.topic}:${message.subscription}:${message.id}`
      : `api:${this.authHandler ?? "unknown.unknown"}`;
  }
}

/** What callers learn when a process does not answer; no call is repeated (G-49). */
export function awayFrom(peer: Peer, error: Error): Failure {
  return new Failure(
    "unavailable",
    `service ${peer.service} is unavailable`,
    `calling ${peer.service} at ${peer.url.origin} failed: ${error.message}`,
  );
}

function collect(answer: IncomingMessage): Promise<EncodedResponse> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("error", reject);
    answer.on("end", () => {
      const headers = answer.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
      const isJson = answer.headers["content-type"] === "application/json";
      resolve({
        status: answer.statusCode ?? 0,
        headers,
        body: isJson ? Buffer.concat(chunks).toString("utf8") : null,
      });
    });
  });
}

/** Has a call served by another process. Rejects with a Failure when there is no answer; one of any status is resolved to. */
export async function callPeer(peer: Peer, exchange: Exchange, from: string): Promise<EncodedResponse> {
  const { inbound, caller, trace } = exchange;
  // Bytes: a text would be joined with the head, whose own bytes node would then encode once more.
  const body = exchange.body === undefined ? undefined : Buffer.from(exchange.body as string);
  const length = body === undefined ? [] : ["content-length", String(body.length)];
  const lines = peer.headers([...inbound.lines, ...length], { from, trace: trace.parent, user: caller });
  const sent = peer.request({ method: inbound.method, target: inbound.target, lines });
  let silence: Error | undefined;
  sent.setTimeout(peer.limits.silenceMs, () => {
    silence = new Error(`no word within ${peer.limits.silenceMs} ms`);
    sent.destroy(silence);
  });
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.on("response", resolve);
      sent.on("error", reject);
      sent.end(body);
    });
    return await collect(answer);
  } catch (error) {
    throw awayFrom(peer, silence ?? (error as Error));
  }
}
