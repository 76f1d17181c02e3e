// Removing a file with all its versions. What other files share with it stays. Its bytes and its document go by a job, which
// exists exactly when the deletion was committed: whatever is killed in between, neither is left, and nothing that is still
// there has lost its bytes.
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { withTenant, type Tx } from "../../db/tenant";
import { assetDeleted } from "../../events/catalog/assets";
import { emit } from "../../events/outbox";
import { enqueue } from "../../queues/enqueue";
import type { Principal } from "../../security/principal";
import { sourcesOf } from "./document";
import { removeJob } from "./jobs";
import { assetDelete, assetFindLocked, contentDeleteUnused, usageAdd, usageLock } from "./store/assets";
import { about } from "./upload";

// A name may name a person.
const deleted = defineAction("assets.asset.deleted", { version: "plain", name: "personal" });

/** False when the caller's organisation has no such file. */
export function deleteAsset(principal: Principal, id: string): Promise<boolean> {
  const { tenantId } = principal;
  return withTenant(principal, async (tx) => {
    await usageLock(tx, tenantId);
    const asset = await assetFindLocked(tx, tenantId, id);
    if (asset === undefined) return false;
    await remove(tx, tenantId, id);
    const { name, version } = asset;
    await emit(tx, assetDeleted, { assetId: id, assetVersion: version, name }, about(id));
    await record(tx, deleted, { target: { type: "asset", id }, fields: { version, name } });
    return true;
  });
}

/** A job's payload is bounded (events/outbox.ts), and a file may have more versions than fit into one. */
const CONTENTS_OF_JOB = 1_000;

async function remove(tx: Tx, tenantId: string, id: string): Promise<void> {
  const { contentIds, versions } = await assetDelete(tx, tenantId, id);
  const gone = await contentDeleteUnused(tx, tenantId, contentIds);
  const bytes = gone.reduce((sum, content) => sum + content.bytes, 0);
  usageAdd(tx, tenantId, { files: -versions, bytes: -bytes });
  const stored = gone.map((content) => ({ id: content.id, parts: content.parts }));
  await enqueue(tx, removeJob, { source: sourcesOf(id), stored: stored.slice(0, CONTENTS_OF_JOB) });
  for (let at = CONTENTS_OF_JOB; at < stored.length; at += CONTENTS_OF_JOB)
    await enqueue(tx, removeJob, { stored: stored.slice(at, at + CONTENTS_OF_JOB) });
}
