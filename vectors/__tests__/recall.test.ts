// The watch over the graph of vectors: its figure is what searches find, and old versions of pgvector are told from sound ones.
import { expect, test } from "vitest";
import { tenantQuery, withSystem } from "../../db/tenant";
import { createCaller } from "../../testing";
import { embedDocument } from "../embedding";
import { ingest } from "../ingestion";
import { isUnsound, measureRecall, nearTo, reportedRecall, reportExtension } from "../recall";
import { embeddingRecall, embeddingSample } from "../store/recall";
import { RecordingEmbedder } from "./recording-embedder";

const embedder = new RecordingEmbedder();

test("the figure is the share of the nearest that searches of the largest organisations find", async () => {
  const { principal } = createCaller();
  const text = Array.from({ length: 30 }, (_, n) => `## Part ${n}\n\nWord${n} word${n + 1} in the text.`).join("\n\n");
  const { id: documentId } = await ingest(principal, { source: "a.md", text }, embedder.model);
  await embedDocument(principal, { documentId, batchSize: 64, signal: new AbortController().signal }, embedder);
  // More than any other suite's organisation has.
  const size = 2_000_000_000;
  await tenantQuery(
    principal,
    "insert into vectors.usage (tenant_id, document_count, chunk_count) values ($1, 1, $2)",
    [principal.tenantId, size],
  );
  expect(await measureRecall(Buffer.alloc(32), size - 1)).toBe(1);
  expect([reportedRecall(), reportedRecall(performance.now() + 2.1 * 3_600_000)]).toEqual([1, []]);
  // Of a graph that is left with five, half of the ten nearest; of what comparing all finds, nothing is counted.
  const { principal: other } = createCaller();
  const recall = (exactUpTo: number, candidates: number, of = principal.tenantId) =>
    withSystem("test", async (tx) => {
      const [stored = { vector: "", model: "" }] = await embeddingSample(tx, principal.tenantId, Buffer.alloc(32), 1);
      return embeddingRecall(tx, of, stored, { exactUpTo, candidates });
    });
  const five = await recall(size - 1, 5);
  expect(five).toMatchObject({ wanted: 10 });
  expect(five.found).toBeGreaterThan(0);
  expect(five.found).toBeLessThanOrEqual(5);
  expect(await recall(size - 1, 60)).toEqual({ found: 10, wanted: 10 });
  expect(await recall(size, 60)).toEqual({ found: 0, wanted: 0 });
  expect(await recall(size - 1, 60, other.tenantId)).toEqual({ found: 0, wanted: 0 });
  expect(await measureRecall(Buffer.alloc(32), size)).toBeUndefined();
  expect(reportedRecall()).toEqual([]);
  await tenantQuery(principal, "delete from vectors.usage where tenant_id = $1", [principal.tenantId]);
  await reportExtension();
});

test("what is asked is near a stored vector, and not the vector", () => {
  const stored = Array.from({ length: 512 }, (_, n) => Math.sin(n));
  const asked = JSON.parse(nearTo(JSON.stringify(stored))) as number[];
  const dot = stored.reduce((sum, value, n) => sum + value * (asked[n] ?? Number.NaN), 0);
  const cosine = dot / (Math.hypot(...stored) * Math.hypot(...asked));
  expect(cosine).toBeGreaterThan(0.7);
  expect(cosine).toBeLessThan(0.999);
});

test("a pgvector below 0.8.4 is reported", () => {
  expect(["0.8.0", "0.8.3", "0.7.4", "0.8", ""].map(isUnsound)).toEqual([true, true, true, true, true]);
  expect(["0.8.4", "0.8.10", "0.9.0", "1.0"].map(isUnsound)).toEqual([false, false, false, false]);
});
