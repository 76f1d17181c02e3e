// Watching the graph of vectors, hourly: how many of the nearest contents large organisations' searches find, as a metric, and
// whether the server's pgvector is one that damages graphs.
import { randomBytes } from "node:crypto";
import { withSystem, type Tx } from "../db/tenant";
import { toVector } from "../db/vector";
import { logger } from "../telemetry/logger";
import { observeGauge } from "../telemetry/metrics";
import { embeddingRecall, embeddingSample, extensionVersion, usageListLarge, type StoredVector } from "./store/recall";
import { CANDIDATES, EXACT_UP_TO } from "./store/search-statement";

const TENANTS = 5;
const VECTORS_OF_TENANT = 10;

/** Before it, VACUUM beside many inserts damages graphs (pgvector pull request 988, issue 993), and until 0.8.2 a parallel build reads what is not its own (CVE-2026-3172). */
const SOUND = [0, 8, 4] as const;

/** How far a question stands from the vector it is made of, as a part of its length: about as far as a question from its answer. */
const NOISE = 0.4;
/** A figure that is older says nothing: measuring has failed since, or there is nothing to measure any more. */
const KEPT_MS = 2 * 3_600_000;

let last: { ratio: number; atMs: number } | undefined;
let isObserved = false;

/**
 * Asks as a search would for what is near to some of the vectors that the largest organisations have; resolves with the share of
 * the ten nearest that the graph found, undefined when no organisation is searched by the graph.
 */
export async function measureRecall(
  start: Buffer = randomBytes(32),
  exactUpTo = EXACT_UP_TO,
): Promise<number | undefined> {
  const sum = { found: 0, wanted: 0 };
  for (const tenantId of await ask((tx) => usageListLarge(tx, exactUpTo, TENANTS)))
    for (const stored of await ask((tx) => embeddingSample(tx, tenantId, start, VECTORS_OF_TENANT))) {
      const question = { ...stored, vector: nearTo(stored.vector) };
      const limits = { exactUpTo, candidates: CANDIDATES };
      const { found, wanted } = await ask((tx) => embeddingRecall(tx, tenantId, question, limits));
      sum.found += found;
      sum.wanted += wanted;
    }
  last = sum.wanted === 0 ? undefined : { ratio: sum.found / sum.wanted, atMs: performance.now() };
  observe();
  return last?.ratio;
}

/** Each question in a transaction of its own: none holds what others want removed for as long as all of them take. */
const ask = <T>(question: (tx: Tx) => Promise<T>): Promise<T> =>
  withSystem("measure-recall", question, { statementTimeoutMs: 30_000 });

/** A direction near that of a stored vector: the vector itself is the one point that every walk through the graph ends at. */
export function nearTo(stored: StoredVector["vector"]): string {
  const values = JSON.parse(stored) as number[];
  // Uniform in each dimension, with the length that is wanted of all together.
  const spread = NOISE * Math.hypot(...values) * Math.sqrt(12 / values.length);
  return toVector(values.map((value) => value + spread * (Math.random() - 0.5)));
}

/** From the first measurement on; a process that has measured nothing, or nothing for long, reports nothing. */
function observe(): void {
  if (isObserved) return;
  isObserved = true;
  observeGauge("vectors_recall_ratio", () => reportedRecall());
}

/** What the gauge shows at this moment of the process's clock. */
export function reportedRecall(nowMs = performance.now()): number | [] {
  return last === undefined || nowMs - last.atMs > KEPT_MS ? [] : last.ratio;
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
