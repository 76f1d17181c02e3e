// Watching the graph of vectors, hourly: how many of the nearest contents large organisations' searches find, as a metric, and
// whether the server's pgvector is one that damages graphs.
import { randomBytes } from "node:crypto";
import { withSystem } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { observeGauge } from "../telemetry/metrics";
import { embeddingRecall, embeddingSample, extensionVersion, usageListLarge } from "./store/recall";
import { CANDIDATES, EXACT_UP_TO } from "./store/search-statement";

const TENANTS = 5;
const VECTORS_OF_TENANT = 10;

/** Before it, VACUUM beside many inserts damages graphs (pgvector pull request 988, issue 993), and until 0.8.2 a parallel build reads what is not its own (CVE-2026-3172). */
const SOUND = [0, 8, 4] as const;

let last: number | undefined;
let isObserved = false;

/**
 * Asks as a search would for some of the vectors that the largest organisations have; resolves with the share of their ten
 * nearest that was found, undefined when no organisation is searched by the graph.
 */
export async function measureRecall(
  start: Buffer = randomBytes(32),
  exactUpTo = EXACT_UP_TO,
): Promise<number | undefined> {
  const sums = await withSystem(
    "measure-recall",
    async (tx) => {
      const sum = { found: 0, wanted: 0 };
      for (const tenantId of await usageListLarge(tx, exactUpTo, TENANTS))
        for (const stored of await embeddingSample(tx, tenantId, start, VECTORS_OF_TENANT)) {
          const { found, wanted } = await embeddingRecall(tx, tenantId, stored, { exactUpTo, candidates: CANDIDATES });
          sum.found += found;
          sum.wanted += wanted;
        }
      return sum;
    },
    { statementTimeoutMs: 30_000 },
  );
  last = sums.wanted === 0 ? undefined : sums.found / sums.wanted;
  observe();
  return last;
}

/** From the first measurement on; a process that has measured nothing reports nothing. */
function observe(): void {
  if (isObserved) return;
  isObserved = true;
  observeGauge("vectors_recall_ratio", () => (last === undefined ? [] : last));
}

/** True for a pgvector that is older than the first sound one. */
export function isUnsound(version: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [at, sound] of SOUND.entries()) {
    const part = parts[at] ?? 0;
    if (part !== sound) return part < sound;
  }
  return false;
}

/** Says so in the log when the server's pgvector should be replaced. */
export async function reportExtension(): Promise<void> {
  const version = await withSystem("measure-recall", extensionVersion);
  if (isUnsound(version))
    logger("vectors").warn(
      { version },
      "pgvector below 0.8.4 may damage its graphs: update the extension, then REINDEX INDEX CONCURRENTLY vectors.embedding_nearest",
    );
}
