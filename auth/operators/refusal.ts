// What a refused sign-in of an operator leaves behind: whatever of it was wrong, the same statements before the answer, so that a
// right password with a wrong code takes no longer than a wrong password. What is told of the former is written by a job, which
// there is for the latter too: it finds nothing to write.
import { z } from "zod";
import { defineAction } from "../../audit/action";
import { recordForPlatform } from "../../audit/platform";
import { withSystem, type Tx } from "../../db/tenant";
import { enqueue } from "../../queues/enqueue";
import { defineJob } from "../../queues/job";
import { makeWorker, UnrecoverableJobError } from "../../queues/worker";
import { onBehalfOf } from "../../security/provenance";
import type { TenantId } from "../../security/principal";
import { operatorCountFailure } from "../store/operators";

const refused = defineAction("operator.session.refused", { failures: "plain" });

const refusal = z.object({
  /** Of nobody, for an e-mail of nobody. */
  operatorId: z.uuid(),
  knewPassword: z.boolean(),
  /** Wrong codes in a row. */
  failures: z.int(),
});

export type Refusal = z.infer<typeof refusal>;

export const refusalJob = defineJob({
  name: "auth:operator-refusal",
  payload: refusal,
  timeoutMs: 10_000,
  isCancelable: false,
});

makeWorker(refusalJob, (payload, { tenantId }) => recordRefusal(payload, tenantId));

/** Counts a wrong code of who knew the password, and leaves the rest to the job. In the transaction of the sign-in. */
export async function refuse(tx: Tx, { operatorId, knewPassword }: Omit<Refusal, "failures">): Promise<void> {
  const failures = await operatorCountFailure(tx, operatorId, knewPassword ? 1 : 0);
  await enqueue(tx, refusalJob, { operatorId, knewPassword, failures });
}

/** Only who knew the password is told of: everybody can make other refusals. */
export async function recordRefusal(
  { operatorId, knewPassword, failures }: Refusal,
  tenantId: TenantId | null,
): Promise<void> {
  if (tenantId !== null) throw new UnrecoverableJobError("no organisation's job tells of operators");
  if (!knewPassword) return;
  const target = { type: "operator", id: operatorId };
  await onBehalfOf(`operator:${operatorId}`, () =>
    withSystem("operator-sign-in", (tx) => recordForPlatform(tx, refused, { target, fields: { failures } })),
  );
}
