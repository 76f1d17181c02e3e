// What the endpoints of every kind of record make of a request: who asks, and which record of which version is meant.
import { HttpStatus } from "encore.dev/api";
import { isUuid } from "../../db/ids";
import { currentPrincipal, type Principal } from "../../security/principal";
import { readIfMatch, type Change, type Precondition } from "./precondition";
import type { ListedRow, Resource } from "../../db/listing/resource";
import { askAlone, type Ask } from "../../db/listing/ask";
import { recordFind } from "./store/change";

export interface Acting {
  principal: Principal;
  /** Alone, in one round trip. */
  ask: Ask;
}

export function acting(): Acting {
  const principal = currentPrincipal();
  return { principal, ask: askAlone(principal) };
}

/** One that lives, with what `includes` names. @throws what `missing` makes */
export async function readRecord<Row extends ListedRow>(
  { ask, principal }: Acting,
  resource: Resource<Row>,
  { id, includes = [] }: { id: string; includes?: readonly string[] },
  missing: () => Error,
): Promise<Row> {
  const place = { tenantId: principal.tenantId, id };
  const row = isUuid(id) ? await recordFind(ask, resource, place, includes) : undefined;
  if (row === undefined) throw missing();
  return row;
}

/** The answer that tells where what was made is read. */
export const createdAt = <Shown extends { id: string }>(
  path: string,
  shown: Shown,
): Shown & { status: HttpStatus; location: string } => ({
  ...shown,
  status: HttpStatus.Created,
  location: `${path}/${shown.id}`,
});

interface Named {
  id: string;
  ifMatch?: string | undefined;
}

/** @throws what `missing` makes, when the id is none: it names nothing */
export function changeOf({ principal }: Acting, { id, ifMatch }: Named, missing: () => Error): Change {
  return changeIn(principal, { id, ...readIfMatch(ifMatch) }, missing);
}

/** Of a row of several; without a version it is of whatever version there is. */
export const rowChange = (
  { principal }: Acting,
  { id, version }: { id: string; version?: number | undefined },
  missing: () => Error,
): Change => changeIn(principal, { id, versions: version === undefined ? null : [version] }, missing);

function changeIn(
  { tenantId }: Principal,
  { id, ...precondition }: Precondition & { id: string },
  missing: () => Error,
): Change {
  if (!isUuid(id)) throw missing();
  return { tenantId, id, ...precondition };
}
