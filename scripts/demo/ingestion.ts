// Sends the corpus and waits until all of it can be found. Resumes by sending again: the app answers "ready" for
// what it has.
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "./api-client";
import type { CorpusFile } from "./corpus";
import type { Progress, ProgressReport } from "./progress";

interface Ingested {
  id: string;
  status: "pending" | "ready" | "failed";
}

interface DocumentState extends Ingested {
  source: string;
  chunks: number;
}

/** Requests at once while sending. */
const LANES = 4;
/** Between looks at one document: the limit for reads is 20 a second. */
const LOOK_PAUSE_MS = 60;
const PENDING_PAUSE_MS = 500;

export interface IngestionOutcome {
  chunks: number;
  /** Sources of the documents that could not be embedded. */
  failed: string[];
}

export async function ingestCorpus(
  client: ApiClient,
  files: readonly CorpusFile[],
  report: ProgressReport,
): Promise<IngestionOutcome> {
  const progress: Progress = { total: files.length, sent: 0, ready: 0, chunks: 0 };
  const pending: string[] = [];
  const failed: string[] = [];
  let isSending = true;

  const waiting = [...files];
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { id } = await client.call<Ingested>("POST", "/vectors/documents", {
        source: file.source,
        text: file.text,
      });
      pending.push(id);
      progress.sent++;
      report.update(progress);
    }
  };
  // Documents are embedded about in the order they came in, so looking at the oldest one is enough.
  const watch = async (): Promise<void> => {
    while (isSending || pending.length > 0) {
      const [oldest] = pending;
      const document =
        oldest === undefined
          ? undefined
          : await client.call<DocumentState>("GET", `/vectors/documents/${oldest}?text=false`);
      if (document === undefined || document.status === "pending") {
        await sleep(PENDING_PAUSE_MS);
        continue;
      }
      pending.shift();
      progress.ready++;
      progress.chunks += document.chunks;
      if (document.status === "failed") failed.push(document.source);
      report.update(progress);
      await sleep(LOOK_PAUSE_MS);
    }
  };
  const sending = Promise.all(Array.from({ length: LANES }, lane)).finally(() => (isSending = false));
  await Promise.all([sending, watch()]);
  return { chunks: progress.chunks, failed };
}
