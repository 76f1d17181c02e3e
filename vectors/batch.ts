// Many documents in one request. Each is stored by itself, so that one that is refused keeps none of the others out; what is
// unchanged is told from the rest by one statement for all.
import { APIError } from "encore.dev/api";
import { fieldsOf } from "../security/input";
import { reasonOf, type ErrorDetails } from "../security/errors";
import type { TenantScope } from "../db/tenant";
import { findUnchanged, ingestChanged, type Ingestion, type IngestionResult } from "./ingestion";
import { ingestionInput } from "./input";

/** Texts are split in processes of their own, and each takes a connection while it is stored. */
const AT_ONCE = 4;

export interface BatchOutcome {
  source: string;
  id?: string;
  status?: IngestionResult["status"];
  error?: { reason: string; message: string; fields?: Record<string, string> };
}

/**
 * Stores each as `ingest` does; the outcomes are in the order of the documents. What fails for reasons that are not the
 * document's own (the database is away) fails the whole: sent again, what is stored by then is unchanged.
 */
export async function ingestBatch(
  scope: TenantScope,
  documents: readonly Ingestion[],
  model: string,
): Promise<BatchOutcome[]> {
  const outcomes = documents.map(({ source }): BatchOutcome => ({ source }));
  const valid = validRows(documents, outcomes);
  const unchanged =
    valid.length === 0 ? new Map<string, IngestionResult>() : await findUnchanged(scope, inputsOf(valid), model);
  const left: Row[] = [];
  for (const row of valid) {
    const known = unchanged.get(row.input.source);
    if (known === undefined) left.push(row);
    else Object.assign(row.outcome, known);
  }
  const next = left.values();
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (const { input, outcome } of next) {
      try {
        Object.assign(outcome, await outcomeOf(scope, input, model));
      } catch (error) {
        failures.push(error);
      }
      // Nobody stores anything after the answer: the others finish what they are at.
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (failures.length > 0) throw failures[0];
  return outcomes;
}

interface Row {
  input: Ingestion;
  outcome: BatchOutcome;
}

const inputsOf = (rows: readonly Row[]): Ingestion[] => rows.map(({ input }) => input);

/** Those that can be stored; the others' outcomes say why not. Of a source that is named twice only the first valid one is. */
function validRows(documents: readonly Ingestion[], outcomes: BatchOutcome[]): Row[] {
  const seen = new Set<string>();
  return documents.flatMap((document, index) => {
    const outcome = outcomes[index] ?? { source: document.source };
    const parsed = ingestionInput.safeParse(document);
    const fields = parsed.success
      ? seen.has(document.source)
        ? { source: "is named twice in this batch" }
        : undefined
      : fieldsOf(parsed.error);
    if (fields === undefined && parsed.success) {
      seen.add(document.source);
      return [{ input: parsed.data, outcome }];
    }
    outcome.error = { reason: "invalid_request", message: "the document is not valid", fields: fields ?? {} };
    return [];
  });
}

async function outcomeOf(scope: TenantScope, input: Ingestion, model: string): Promise<Partial<BatchOutcome>> {
  try {
    return await ingestChanged(scope, input, model);
  } catch (error) {
    const reason = reasonOf(error);
    if (!(error instanceof APIError) || reason === undefined) throw error;
    const { fields } = error.details as unknown as ErrorDetails;
    return { error: { reason, message: error.message, ...(fields === undefined ? {} : { fields }) } };
  }
}
