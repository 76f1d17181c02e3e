// Clients of several replicas that use, refresh, expire and sign out, and a judge of the answers that knows nothing of the
// code: what it knows of a token is when it was given, when it says it expires, and when its owner signed out. What may
// be so or so at the moment of a request (it crossed a sign-out, or expired on the way) is not judged.
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from "jose";
import type { Pool } from "undici";
import type { Random } from "./fuzz/random";

/** What the promise leaves for an end to reach every replica. */
export const REACHES_WITHIN_MS = 2_000;
/** Around the second in which a token expires: clocks are compared by reading them. */
const UNJUDGED_MS = 500;
/** Tokens of one client that are still used beside its latest. */
const KEPT = 5;
const EXPIRED_KEPT = 500;

interface Given {
  text: string;
  expiresAtMs: number;
}

export interface Client {
  refreshToken: string;
  tokens: Given[];
  isRefreshing: boolean;
  /** When the request to sign out was sent, and when its answer came. */
  endSentAtMs: number;
  endedAtMs: number;
}

export const clientOf = (refreshToken: string): Client => ({
  refreshToken,
  tokens: [],
  isRefreshing: false,
  endSentAtMs: Infinity,
  endedAtMs: Infinity,
});

/** Of a token's lifetime the wall clock decides, of everything else the monotonic one. */
const wallMs = (): number => Date.now();
const nowMs = (): number => performance.now();

/** A service beside the app that verifies by the published set alone and keeps it as long as it may. */
class Verifier {
  private set: Promise<ReturnType<typeof createLocalJWKSet>> | undefined;
  private readAtMs = -Infinity;

  constructor(
    private readonly read: () => Promise<JSONWebKeySet>,
    private readonly maxAgeMs: number,
  ) {}

  async verifies(token: string): Promise<boolean> {
    if (this.set === undefined || nowMs() - this.readAtMs >= this.maxAgeMs) {
      this.readAtMs = nowMs();
      this.set = this.read().then((set) => createLocalJWKSet(set));
    }
    const set = await this.set;
    return jwtVerify(token, set, { issuer: "groundwork", audience: "groundwork-api", typ: "at+jwt" }).then(
      () => true,
      () => false,
    );
  }
}

export class TokenTraffic {
  /** What was answered otherwise than it had to be. */
  readonly wrong: string[] = [];
  readonly done = { used: 0, refreshed: 0, verified: 0, expired: 0, signedOut: 0, withdrawn: 0, unjudged: 0 };
  readonly keyIds = new Set<string>();
  private readonly verifiers: Verifier[];
  private active: Client[];
  private readonly checks: { client: Client; replica: number; dueAtMs: number }[] = [];
  private expired: string[] = [];

  /** `activeClients` of `clients` are used at a time; who signs out is followed by the next. */
  constructor(
    private readonly replicas: readonly Pool[],
    private readonly clients: Client[],
    private readonly random: Random,
    { activeClients, setMaxAgeMs }: { activeClients: number; setMaxAgeMs: number },
  ) {
    this.active = clients.splice(0, activeClients);
    this.verifiers = replicas.map((_, at) => new Verifier(() => this.keySet(at), setMaxAgeMs));
  }

  /** Of a client that has one, for who makes tokens of another time of it. */
  anyToken(): string | undefined {
    return this.active.find(({ tokens }) => tokens.length > 0)?.tokens.at(-1)?.text;
  }

  /** A token of ours that was made elsewhere: from its time on it is to be refused. */
  addExpired(text: string): void {
    this.expired.push(text);
    if (this.expired.length > EXPIRED_KEPT) this.expired.shift();
  }

  /** True when every sign-out that was answered was asked about at every replica. */
  get isChecked(): boolean {
    return this.checks.length === 0;
  }

  /** One request of the traffic; `mayEnd` when a client is to sign out. */
  async step(mayEnd: boolean): Promise<void> {
    const due = this.checks.findIndex(({ dueAtMs }) => dueAtMs <= nowMs());
    const check = due < 0 ? undefined : this.checks.splice(due, 1)[0];
    if (check !== undefined) return this.useWithdrawn(check.client, check.replica);
    const client = this.random.pick(this.active);
    this.retire(client);
    if (!client.isRefreshing && (client.tokens.length === 0 || this.random.chance(0.12))) return this.refresh(client);
    const token = client.tokens.at(-1);
    if (token === undefined) return undefined;
    if (mayEnd) return this.signOut(client, token);
    if (this.expired.length > 0 && this.random.chance(0.1)) return this.useExpired(this.random.pick(this.expired));
    return this.use(client, this.random.pick(client.tokens));
  }

  private async keySet(replica: number): Promise<JSONWebKeySet> {
    const answer = await this.send(replica, "GET", "/.well-known/jwks.json");
    return JSON.parse(answer.body) as JSONWebKeySet;
  }

  private async send(replica: number, method: string, path: string, token?: string, body?: unknown) {
    const response = await this.replicas[replica]!.request({
      method,
      path,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.statusCode, body: await response.body.text() };
  }

  private anyReplica(): number {
    return this.random.integer(0, this.replicas.length - 1);
  }

  /** Tokens that have expired are from now on used as such. */
  private retire(client: Client): void {
    const isOver = ({ expiresAtMs }: Given): boolean => expiresAtMs + UNJUDGED_MS < wallMs();
    for (const { text } of client.tokens.filter(isOver)) this.addExpired(text);
    client.tokens = client.tokens.filter((token) => !isOver(token));
  }

  private async refresh(client: Client): Promise<void> {
    client.isRefreshing = true;
    try {
      const at = this.anyReplica();
      const { status, body } = await this.send(at, "POST", "/auth/refresh", undefined, {
        refreshToken: client.refreshToken,
      });
      if (client.endSentAtMs < Infinity) return void this.done.unjudged++;
      if (status !== 200) return void this.wrong.push(`replica ${at} refused to refresh: ${status} ${body}`);
      const answer = JSON.parse(body) as { accessToken: string; refreshToken: string };
      client.refreshToken = answer.refreshToken;
      this.done.refreshed++;
      await this.take(client, answer.accessToken, at);
    } finally {
      client.isRefreshing = false;
    }
  }

  /** The token of an answer, which every other service has to take at once. */
  private async take(client: Client, text: string, from: number): Promise<void> {
    const { exp = 0 } = decodeJwt(text);
    this.keyIds.add(decodeProtectedHeader(text).kid ?? "");
    client.tokens.push({ text, expiresAtMs: exp * 1000 });
    if (client.tokens.length > KEPT) client.tokens.shift();
    const verifier = this.random.integer(0, this.verifiers.length - 1);
    if (!(await this.verifiers[verifier]!.verifies(text)))
      this.wrong.push(`a new token of replica ${from} is refused by who keeps the key set of replica ${verifier}`);
    this.done.verified++;
  }

  private async use(client: Client, { text, expiresAtMs }: Given): Promise<void> {
    const at = this.anyReplica();
    const { status, body } = await this.send(at, "GET", "/auth/me", text);
    if (expiresAtMs - UNJUDGED_MS < wallMs() || client.endSentAtMs < Infinity) return void this.done.unjudged++;
    if (status !== 200) this.wrong.push(`replica ${at} refused a valid token: ${status} ${body}`);
    this.done.used++;
  }

  private async useExpired(text: string): Promise<void> {
    const at = this.anyReplica();
    const { status, body } = await this.send(at, "GET", "/auth/me", text);
    if (status !== 401) this.wrong.push(`replica ${at} answered an expired token ${status} ${body}`);
    this.done.expired++;
  }

  private async signOut(client: Client, { text }: Given): Promise<void> {
    const next = this.clients.pop();
    if (next === undefined) return;
    this.active = [...this.active.filter((other) => other !== client), next];
    client.endSentAtMs = nowMs();
    const at = this.anyReplica();
    const { status, body } = await this.send(at, "POST", "/auth/logout", text, {});
    if (status !== 200) return void this.wrong.push(`replica ${at} did not sign out: ${status} ${body}`);
    client.endedAtMs = nowMs();
    this.done.signedOut++;
    for (const replica of this.replicas.keys())
      this.checks.push({ client, replica, dueAtMs: client.endedAtMs + REACHES_WITHIN_MS });
  }

  private async useWithdrawn(client: Client, replica: number): Promise<void> {
    // The longest-lived: one that has expired as well would be refused anyhow.
    const token = client.tokens.at(-1);
    if (token === undefined || token.expiresAtMs - UNJUDGED_MS < wallMs()) return void this.done.unjudged++;
    const agoMs = Math.round(nowMs() - client.endedAtMs);
    const { status, body } = await this.send(replica, "GET", "/auth/me", token.text);
    if (token.expiresAtMs - UNJUDGED_MS < wallMs()) return void this.done.unjudged++;
    if (status !== 401) this.wrong.push(`replica ${replica} took a token ${agoMs} ms after its sign-out: ${status}`);
    else if (!body.includes("invalid_token")) this.wrong.push(`a withdrawn token was answered ${body}`);
    this.done.withdrawn++;
  }
}
