// Who changes something that matters is asked in the same transaction whether they still may, and who reads for long now and then: a
// request was let in by what was so a second before. auth/ knows, and stands above the rooms that keep secrets, budgets and logs;
// so it says here how one asks. Where auth/ was never loaded nobody can be asked, and nobody is let in.
import { commonErrors } from "../security/common-errors";
import type { Permission } from "../security/permissions";
import type { Principal } from "../security/principal";
import { databaseClock } from "../security/database-clock";
import type { SystemReason } from "../security/system-reasons";
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
 * Runs `work` in one transaction with the question whether the caller's session is live and still holds `permission`. It is the
 * system's, because no tenant reads sessions: each statement of `work` says whose rows it means.
 * @throws APIError invalid_token, permission_denied; service_unavailable.
 */
export function withActing<T>(
  principal: Principal,
  { permission, reason }: { permission: Permission; reason: SystemReason },
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const { lock } = ask();
  return withSystem(reason, async (tx) => {
    await lock(tx, principal, permission);
    return work(tx);
  });
}

export interface Reading {
  /** Before each piece. It asks when the last answer is older than a second: then whoever was put out gets no more. */
  mayGoOn: () => Promise<boolean>;
}

const ASK_AGAIN_MS = 1_000;

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
  const refusal = await refusalToRead(principal, permission, sinceMs);
  if (refusal !== undefined) throw refusal;
  let askedAtMs = performance.now();
  return {
    mayGoOn: async () => {
      if (performance.now() - askedAtMs < askAgainMs) return true;
      if ((await refusalToRead(principal, permission, sinceMs)) !== undefined) return false;
      askedAtMs = performance.now();
      return true;
    },
  };
}
