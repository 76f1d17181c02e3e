// Logs for the tests of seals: written by this version or as the one before did, and what who owns the tables does to them.
import { newId } from "../../db/ids";
import { withTenant, type TenantScope, type Tx } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { linkOf, personalDigest } from "../chain";
import { auditKey } from "../key";
import { record } from "../record";
import { entryAdd, headAdvance } from "../store";
import { judgeSeals, verifyPage, type Verification } from "../verify";
import { pastTriggers } from "./past-triggers";

const done = defineAction("test.thing.sealed", { n: "plain" });
export const write = (scope: TenantScope, n = 0): Promise<void> =>
  withTenant(scope, (tx) => record(tx, done, { fields: { n } }));
export async function newLog(entries = 4): Promise<TenantScope> {
  const scope = { tenantId: tenantIdFrom(newId()) };
  for (let n = 1; n <= entries; n++) await write(scope, n);
  return scope;
}
export const owner = ({ tenantId }: TenantScope, ...statements: string[]): Promise<void> =>
  pastTriggers(statements, [tenantId]);
export const of = "where tenant_id = $1";
export const HASH_OF = (seq: number): string => `(select hash from audit.entry ${of} and seq = ${seq})`;
/** Removes the last entry, and sets the head to the one before. */
export const CUT = [
  `update audit.head set seq = 3, hash = ${HASH_OF(3)} ${of}`,
  `delete from audit.entry ${of} and seq > 3`,
];
export const TRIM = [
  `update audit.head set kept_from = 3, kept_after = ${HASH_OF(2)} ${of}`,
  `delete from audit.entry ${of} and seq < 3`,
];
export const STRIP = `update audit.head set start_seal = null, end_seal = null, sealed_seq = null ${of}`;
export const unsealed = (seq: number): object => ({ isDone: true, broken: { seq, what: "unsealed" } });
/** As before anybody said that all logs of the installation are sealed. */
export const verifyBefore = (scope: TenantScope): Promise<Verification> =>
  verifyPage(scope, 0, 100, (log, ends) => judgeSeals(log, ends, () => Promise.resolve(false)));

/** As the version before wrote: it knows of no seals. `hash`: another than the entry's, as of who has no key. */
export async function addBefore(tx: Tx, { tenantId }: TenantScope, hash?: Buffer): Promise<void> {
  const { seq, atMicros, before } = await headAdvance(tx, tenantId);
  const id = newId();
  const names = { id, atMicros, action: done.name, actor: "user:x", targetType: null, targetId: null };
  const digest = personalDigest(auditKey(), id, {});
  const entry = { tenantId, seq, ...names, correlationId: id, fields: { n: seq }, personalDigest: digest };
  await entryAdd(tx, { ...entry, personal: null, hash: hash ?? linkOf(auditKey(), before, entry) }, null);
}
export const writeBefore = (scope: TenantScope): Promise<void> => withTenant(scope, (tx) => addBefore(tx, scope));
