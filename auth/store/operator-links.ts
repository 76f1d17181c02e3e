// Statements on auth.operator_link: one link an operator, which opens a session once.
import type { Tx } from "../../db/tenant";

/**
 * The operator of this e-mail, made when there is none: active from now on. Where it was not, no set-up and no
 * password of before is good any more. Resolves
 * with its id.
 */
export async function operatorEnsureActive(
  tx: Tx,
  o: { id: string; email: string; permissions: readonly string[]; passwordHash: string; totpSealed: Buffer },
): Promise<string> {
  const rows = await tx.query<{ id: string }>(
    `insert into auth.operator (id, email, permissions, password_hash, totp_sealed, totp_step, activated_at)
     values ($1, $2, $3, $4, $5, 0, now())
     on conflict (email) do update set permissions = excluded.permissions, password_hash = excluded.password_hash,
       totp_sealed = coalesce(operator.totp_sealed, excluded.totp_sealed), totp_step = coalesce(operator.totp_step, 0),
       activated_at = coalesce(operator.activated_at, now()), setup_hash = null, setup_expires_at = null
     returning id`,
    [o.id, o.email, [...o.permissions], o.passwordHash, o.totpSealed],
  );
  return rows[0]?.id ?? o.id;
}

/** In the place of the one before. */
export async function operatorLinkReplace(
  tx: Tx,
  l: { operatorId: string; hash: Buffer; lifetimeSeconds: number },
): Promise<void> {
  await tx.execute(
    `insert into auth.operator_link (operator_id, hash, expires_at) values ($1, $2, now() + make_interval(secs => $3))
     on conflict (operator_id) do update set hash = excluded.hash, expires_at = excluded.expires_at`,
    [l.operatorId, l.hash, l.lifetimeSeconds],
  );
}

/** Uses a link up: of two who come with it at once, one learns whose it is. Undefined when it is none, or over. */
export async function operatorLinkUse(tx: Tx, hash: Buffer): Promise<string | undefined> {
  const rows = await tx.query<{ operatorId: string }>(
    `delete from auth.operator_link where hash = $1 and expires_at > now() returning operator_id as "operatorId"`,
    [hash],
  );
  return rows[0]?.operatorId;
}
