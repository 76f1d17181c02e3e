// How much an organisation may have. What counts is looked at under its lock, when a file is committed; before that a look without
// the lock spares the bucket what would be refused.
import { cfg } from "../../config";
import type { TenantScope } from "../../db/tenant";
import { errors } from "./errors";
import { usageFind, type Usage } from "./store/assets";

/** @throws APIError storage_full when `usage` and `more` are over a limit */
export function throwIfOver(usage: Usage, more: Usage): void {
  const { tenantBytesMax, tenantFilesMax } = cfg.assets;
  if (usage.files + more.files > tenantFilesMax) throw errors.storage_full({ facts: { limit: "files" } });
  if (usage.bytes + more.bytes > tenantBytesMax) throw errors.storage_full({ facts: { limit: "bytes" } });
}

/**
 * Before the first byte (`arrived` 0: there must be room for one), and before each part that is whole. A file that the
 * organisation has already, which would take no room, is refused with the others here: whether it is that one shows at its end.
 * @throws APIError storage_full
 */
export async function lookForRoom(scope: TenantScope, arrived: number): Promise<void> {
  throwIfOver(await usageFind(scope), { files: 1, bytes: Math.max(1, arrived) });
}
