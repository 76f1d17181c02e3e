// What makes ending a session or changing a role reach access tokens that have not expired, in every process, without
// asking the database for each request. Every process keeps the revocations that still matter and reads what is new
// each second while it is used. States of what it knows, by the age of its last successful read:
//   fresh    up to STALE_AFTER_MS: answers at once
//   stale    older (the process was idle, or a read is slow): the request waits for a read
//   failing  the last read failed, up to BLIND_MAX_MS: answers by what it knows, and tries again each second
//   blind    older than that: refuses with service_unavailable (fail closed); nobody is signed out by it
// So what was revoked is refused within STALE_AFTER_MS and a read while the database answers, else BLIND_MAX_MS.
// Memberships are compared by revision, not by time: clocks of replicas differ, and a second is long.
import { AsyncResource } from "node:async_hooks";
import { cfg } from "../config";
import { isDraining } from "../telemetry/shutdown";
import { logger } from "../telemetry/logger";
import { withinTime } from "../telemetry/time-limit";
import { commonErrors } from "../security/common-errors";
import type { Tx } from "../db/tenant";
import { TOKEN_SECONDS_MAX } from "./access-token";
import { databaseClock } from "../security/database-clock";
import { revocationInsert, revocationRead, type Revocation, type RevocationPage } from "./store/revocations";

const READ_EVERY_MS = 1_000;
const STALE_AFTER_MS = 1_500;
export const BLIND_MAX_MS = 10_000;
const READ_TIMEOUT_MS = 2_000;
/** All that is known is looked at so often, for what no token can name any more: keys are refused for a day, sessions for minutes. */
const LOOK_AT_ALL_EVERY_MS = 30_000;
/** A process that nobody uses stops reading; its next request waits for one read. */
const IDLE_AFTER_MS = 60_000;
const PAGE = 5_000;
/** Replicas' clocks may be this far behind the database's: until then they take a token that has expired. */
const CLOCK_SKEW_SECONDS = 120;

/** Whom a token speaks for, as far as revocations go. */
export interface RevocableToken {
  sessionId: string;
  /** membershipSubject of account and organisation; null for a token without an organisation. */
  membership: string | null;
  /** The organisation. */
  tenantId?: string | null;
  revision: number;
  /** Of a role that the organisation made. */
  roleId?: string | null;
  /** Of the key that signed it. */
  kid: string;
}

const keySubject = (kid: string): string => `key:${kid}`;

const organisationSubject = (tenantId: string): string => `organisation:${tenantId}`;

const roleSubject = (roleId: string): string => `role:${roleId}`;

/** A session in one organisation: another it may be in still. */
const placeSubject = (sessionId: string, tenantId: string): string => `in:${sessionId}:${tenantId}`;

export const membershipSubject = (accountId: string, tenantId: string): string => `${accountId}:${tenantId}`;

interface Known {
  belowRevision: number;
  untilMs: number;
}

type Read = (horizon: string | null, position: string | null, limit: number) => Promise<RevocationPage>;

/** What one process knows. `read` and `clock` (monotonic milliseconds) are given by tests. */
export class Revocations {
  /** By subject, in the order in which they expire, or nearly. Bounded by what is revoked in an access token's life and LOOK_AT_ALL_EVERY_MS. */
  private readonly known = new Map<string, Known>();
  private horizon: string | null = null;
  private readAtMs = -Infinity;
  private reading: Promise<void> | undefined;
  private isFailing = false;
  private usedAtMs = -Infinity;
  private lookedAtAllMs = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  /** Grows when something new is known: who was looked at in this epoch need not be looked at again. */
  epoch = 0;

  constructor(
    private readonly read: Read = revocationRead,
    private readonly clock: () => number = () => performance.now(),
    private readonly isPolling = cfg.env !== "test",
  ) {
    // Reading goes on beside requests: it must not belong to the one that happened to begin it.
    this.load = AsyncResource.bind(this.load.bind(this));
    this.tick = AsyncResource.bind(this.tick.bind(this));
  }

  /** Undefined when what is known is fresh enough to answer by, else a promise of it. @throws APIError service_unavailable (the promise rejects). */
  refresh(): Promise<void> | undefined {
    const nowMs = this.clock();
    this.usedAtMs = nowMs;
    this.schedule();
    const ageMs = nowMs - this.readAtMs;
    if (ageMs < READ_EVERY_MS) return undefined;
    this.reading ??= this.load();
    if (ageMs < STALE_AFTER_MS || (this.isFailing && ageMs < BLIND_MAX_MS)) return undefined;
    return this.reading.then(() => this.assertSighted());
  }

  isRevoked({ sessionId, membership, tenantId = null, roleId = null, revision, kid }: RevocableToken): boolean {
    if (this.known.has(sessionId) || this.known.has(keySubject(kid)) || this.isBelow(membership, revision)) return true;
    if (roleId !== null && this.isBelow(roleSubject(roleId), revision)) return true;
    if (tenantId === null) return false;
    return (
      this.isBelow(organisationSubject(tenantId), revision) || this.isBelow(placeSubject(sessionId, tenantId), revision)
    );
  }

  private isBelow(subject: string | null, revision: number): boolean {
    const changed = subject === null ? undefined : this.known.get(subject);
    return changed !== undefined && revision < changed.belowRevision;
  }

  /** What this process itself revoked need not be read. */
  note(revocations: readonly Revocation[], remainingMs: number): void {
    const untilMs = this.clock() + remainingMs;
    for (const revocation of revocations) this.add(revocation, untilMs);
    this.epoch++;
  }

  get size(): number {
    return this.known.size;
  }

  private assertSighted(): void {
    if (this.clock() - this.readAtMs >= BLIND_MAX_MS)
      throw commonErrors.service_unavailable({ retryAfterSeconds: 1, internal: "revocations cannot be read" });
  }

  /** Never rejects: who waits looks at the age of what is known. */
  private async load(): Promise<void> {
    const startedAtMs = this.clock();
    try {
      await withinTime(this.readPages(), READ_TIMEOUT_MS);
      this.readAtMs = startedAtMs;
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) logger("auth").error({ err: error }, "revocations cannot be read");
      this.isFailing = true;
    } finally {
      this.reading = undefined;
      this.forgetExpired();
    }
  }

  private async readPages(): Promise<void> {
    const askedAtMs = performance.now();
    const first = await this.read(this.horizon, null, PAGE);
    if (first.databaseMs !== undefined) databaseClock.note(first.databaseMs, askedAtMs, performance.now());
    // Another server, or an older state of it: positions of before mean nothing there.
    if (this.horizon !== null && BigInt(first.horizon) < BigInt(this.horizon)) {
      this.horizon = null;
      return this.readPages();
    }
    let page = first;
    this.take(page);
    while (page.rows.length === PAGE) {
      page = await this.read(this.horizon, page.rows.at(-1)?.position ?? null, PAGE);
      this.take(page);
    }
    this.horizon = first.horizon;
  }

  private take({ rows }: RevocationPage): void {
    if (rows.length === 0) return;
    const nowMs = this.clock();
    for (const row of rows) this.add(row, nowMs + row.remainingMs);
    this.epoch++;
  }

  private add({ subject, belowRevision }: Revocation, untilMs: number): void {
    const below = Math.max(belowRevision ?? Infinity, this.known.get(subject)?.belowRevision ?? 0);
    this.known.delete(subject);
    this.known.set(subject, { belowRevision: below, untilMs });
  }

  /** Those in front, and now and then all: one that lives longer than those behind it must not keep them. */
  private forgetExpired(): void {
    const nowMs = this.clock();
    const isLookingAtAll = nowMs - this.lookedAtAllMs >= LOOK_AT_ALL_EVERY_MS;
    if (isLookingAtAll) this.lookedAtAllMs = nowMs;
    for (const [subject, { untilMs }] of this.known)
      if (untilMs <= nowMs) this.known.delete(subject);
      else if (!isLookingAtAll) return;
  }

  private schedule(): void {
    if (this.isPolling) this.timer ??= setTimeout(this.tick, READ_EVERY_MS).unref();
  }

  private tick(): void {
    this.timer = undefined;
    if (isDraining() || this.clock() - this.usedAtMs > IDLE_AFTER_MS) return;
    this.reading ??= this.load();
    void this.reading.then(() => this.schedule());
  }
}

/** This process's. */
export const revocations = new Revocations();

/** Refuses access tokens of these sessions, in every process, once the transaction has committed. */
export function revokeSessions(tx: Tx, sessionIds: readonly string[]): Promise<void> {
  return revoke(
    tx,
    sessionIds.map((subject) => ({ subject, belowRevision: null })),
  );
}

/** Refuses access tokens that name this membership below the revision. */
export function revokeMembership(
  tx: Tx,
  { accountId, tenantId, belowRevision }: { accountId: string; tenantId: string; belowRevision: number },
): Promise<void> {
  return revoke(tx, [{ subject: membershipSubject(accountId, tenantId), belowRevision }]);
}

/** Refuses access tokens of whoever has this role, of before it changed: one row, however many they are. */
export function revokeRole(tx: Tx, roleId: string, belowRevision: number): Promise<void> {
  return revoke(tx, [{ subject: roleSubject(roleId), belowRevision }]);
}

/** The same of whoever is in this organisation. */
export function revokeOrganisation(tx: Tx, tenantId: string, belowRevision: number): Promise<void> {
  return revoke(tx, [{ subject: organisationSubject(tenantId), belowRevision }]);
}

/**
 * Refuses access tokens of these sessions for one organisation, of before it closed to them. One of later may be good again, as
 * when its provider vouches for the session then.
 */
export function revokePlaces(
  tx: Tx,
  tenantId: string,
  sessions: readonly { sessionId: string; belowRevision: number }[],
): Promise<void> {
  return revoke(
    tx,
    sessions.map(({ sessionId, belowRevision }) => ({ subject: placeSubject(sessionId, tenantId), belowRevision })),
  );
}

/** Refuses all tokens that this key signed, also those that a thief of it signs: no token is good for longer. */
export function revokeKey(tx: Tx, kid: string): Promise<void> {
  return revoke(tx, [{ subject: keySubject(kid), belowRevision: null }], TOKEN_SECONDS_MAX);
}

async function revoke(
  tx: Tx,
  revoked: readonly Revocation[],
  tokenSeconds = cfg.auth.accessTokenSeconds,
): Promise<void> {
  if (revoked.length === 0) return;
  const lifetimeSeconds = tokenSeconds + CLOCK_SKEW_SECONDS;
  await revocationInsert(tx, revoked, lifetimeSeconds);
  tx.afterCommit(() => revocations.note(revoked, lifetimeSeconds * 1000));
}
