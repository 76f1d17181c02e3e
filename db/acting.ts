// Who changes something that matters is asked in the same transaction whether they still may, and who reads for long now and then: a
// request was let in by what was so a second before. auth/ knows, and stands above the rooms that keep secrets, budgets and logs;
// so it says here how one asks. Where auth/ was never loaded nobody can be asked, and nobody is let in.
import { commonErrors } from "../security/common-errors";
import type { Permission } from "../security/permissions";
import type { Principal } from "../security/principal";
import { RecentMap } from "../security/recent-map";
import { databaseClock } from "../security/database-clock";
import type { SystemReason } from "../security/system-reasons";
import { readyFor } from "./connection";
import { narrowTo } from "./scope";
import { withSystem, type Tx } from "./tenant";

export interface Acting {
  /** In a transaction of the system's: what it looks at stays until that ends. @throws APIError invalid_token, permission_denied. */
  lock: (tx: Tx, principal: Principal, permission: Permission) => Promise<unknown>;
  /** Why somebody who has read since then (by the database's clock) may not go on; undefined for who may. */
  refusalToRead: (principal: Principal, permission: Permission, sinceMs: number) => Promise<Error | undefined>;
}

let declared: Acting | undefined;

/** Said by auth/, where it is loaded. */
export function declareActing(acting: Acting): void {
  declared = acting;
}

function ask(): Acting {
  if (declared !== undefined) return declared;
  throw commonErrors.service_unavailable({ internal: "auth/ is not loaded here, so nobody knows who may act" });
}

/**
 * Runs `work` in one transaction with the question whether the caller's session is live and still holds `permission`. That is asked in the
 * system's scope, because no tenant reads sessions; `work` sees the caller's tenant alone.
 * @throws APIError invalid_token, permission_denied; service_unavailable.
 */
export async function withActing<T>(
  principal: Principal,
  { permission, reason }: { permission: Permission; reason: SystemReason },
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const { lock } = ask();
  const { tenantId } = principal;
  // Before the transaction: it would take a second connection within it.
  await readyFor({ kind: "tenant", tenantId });
  return withSystem(reason, async (tx) => {
    await lock(tx, principal, permission);
    narrowTo(tx, tenantId);
    return work(tx);
  });
}

export interface Reading {
  /** Before each piece. It asks when the last answer is as old as it may be: then whoever was put out gets no more. */
  mayGoOn: () => Promise<boolean>;
}

const ASK_AGAIN_MS = 1_000;
/** What somebody was told in one place holds in the others where they read: a page in a browser follows several things at once. */
const SHARED_MS = 1_000;
const SHARED_MAX = 2_000;

interface Told {
  askedAtMs: number;
  refusal: Promise<Error | undefined>;
}

const told = new RecentMap<Told>(SHARED_MAX);

/** Who reads with what right. Where no secret is named, it counts too since when: whether one was rotated since then is asked. */
function nameOf(principal: Principal, permission: Permission, sinceMs: number): string {
  const { kind, subjectId, tenantId, sessionId, keyId, keyDigest } = principal;
  const since = kind === "user" || keyDigest !== undefined ? null : sinceMs;
  return JSON.stringify([kind, subjectId, tenantId, sessionId, keyId, keyDigest, permission, since]);
}

/** @throws Error for who may not go on, where what was written so far is to be cut off. */
export async function goOn(reading: Reading): Promise<void> {
  if (!(await reading.mayGoOn())) throw new Error("who began to read may not go on");
}

/**
 * For who reads for long: asks whether they may, now and while they read.
 * @throws APIError invalid_token, permission_denied; service_unavailable.
 */
export async function beginReading(
  principal: Principal,
  permission: Permission,
  askAgainMs = ASK_AGAIN_MS,
): Promise<Reading> {
  const { refusalToRead } = ask();
  const sinceMs = databaseClock.nowMs();
  let askedAtMs = performance.now();
  const refusal = await refusalToRead(principal, permission, sinceMs);
  if (refusal !== undefined) throw refusal;
  const name = nameOf(principal, permission, sinceMs);
  const askNow = (): Told => {
    const asked = { askedAtMs: performance.now(), refusal: refusalToRead(principal, permission, sinceMs) };
    told.set(name, asked);
    asked.refusal.catch(() => told.delete(name));
    return asked;
  };
  return {
    mayGoOn: async () => {
      if (performance.now() - askedAtMs < askAgainMs) return true;
      const shared = told.get(name);
      const isNew = shared !== undefined && performance.now() - shared.askedAtMs < Math.min(askAgainMs, SHARED_MS);
      const last = isNew ? shared : askNow();
      if ((await last.refusal) !== undefined) return false;
      askedAtMs = last.askedAtMs;
      return true;
    },
  };
}
