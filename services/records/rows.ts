// Several rows in one request, each with an outcome of its own: what is refused of one leaves the others as they are. All that is done is
// done in one transaction.
import { APIError } from "encore.dev/api";
import type { z } from "zod";
import { withTenant, type Tx } from "../../db/tenant";
import { charging } from "../../security/charges";
import { reasonOf } from "../../security/errors";
import { parseInput } from "../../security/input";
import type { Principal } from "../../security/principal";
import { askWithin, type Ask } from "../../db/listing/ask";
import type { RecordRow } from "../../db/listing/resource";
import { patchRecord, type Kind } from "./changes";
import { rowTarget } from "./input";
import { rowChange, type Acting } from "./requests";
import { rowBegin, rowEnd, rowTakeBack } from "./store/rows";

export interface RowOutcome {
  /** Its place in the request, from nought. */
  index: number;
  status: "done" | "failed";
  id?: string;
  version?: number;
  reason?: string;
  message?: string;
  fields?: { [field: string]: string };
}

/** What the limit counts as one request more. */
const ROWS_A_POINT = 10;

interface Done {
  id: string;
  /** Of what has several. */
  version?: number;
}

/**
 * @param act does one row; an APIError is that row's outcome, everything else ends the request and takes all of it back
 * @param order in which rows are done: by what they lock, so that two requests never wait for each other
 */
export async function doRows<Row>(
  principal: Principal,
  rows: readonly Row[],
  act: (ask: Ask, row: Row, tx: Tx) => Promise<Done>,
  { order, before }: { order?: (row: Row) => string; before?: (tx: Tx) => void } = {},
): Promise<RowOutcome[]> {
  const inTurn = [...rows.entries()];
  if (order !== undefined) inTurn.sort(([, a], [, b]) => (order(a) < order(b) ? -1 : 1));
  const work = async (tx: Tx): Promise<RowOutcome[]> => {
    before?.(tx);
    const ask = askWithin(tx);
    const done: RowOutcome[] = [];
    for (const [index, row] of inTurn) done.push(await outcomeOf(tx, index, () => act(ask, row, tx)));
    return done;
  };
  const points = Math.floor(rows.length / ROWS_A_POINT);
  const outcomes = await charging("ingest", points, () => withTenant(principal, work));
  return outcomes.sort((a, b) => a.index - b.index);
}

/** Changes one of several records, of which a row names the id, the version if it is to be that one, and what `patch` takes. */
export const patchingRows =
  <Row extends RecordRow>(act: Acting, kind: Kind<Row>, patch: z.ZodType<Readonly<Record<string, unknown>>>) =>
  (ask: Ask, { id, version, ...fields }: { id: string; version?: number }): Promise<Row> =>
    patchRecord(
      ask,
      kind,
      rowChange(act, parseInput(rowTarget, { id, version }), kind.missing),
      parseInput(patch, fields),
    );

async function outcomeOf(tx: Tx, index: number, act: () => Promise<Done>): Promise<RowOutcome> {
  rowBegin(tx);
  try {
    const { id, version } = await act();
    rowEnd(tx);
    return { index, status: "done", id, ...(version === undefined ? {} : { version }) };
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    await rowTakeBack(tx);
    const { fields } = (error.details ?? {}) as { fields?: Record<string, string> };
    const reason = reasonOf(error) ?? error.code;
    return { index, status: "failed", reason, message: error.message, ...(fields === undefined ? {} : { fields }) };
  }
}
