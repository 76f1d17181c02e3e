// Parameters that no list knows. A typed endpoint is given those that it declares and never hears of others, so that a filter with a
// slip in its name would answer everything: they are read off the request's own address.
import { currentRequest } from "encore.dev";
import { commonErrors } from "../../security/common-errors";
import type { ListedRow, Resource } from "./resource";

const KNOWN = ["page", "limit", "sort", "cursor", "fields", "include", "deleted"];
const TOLD_MAX = 5;
const NAME_TOLD_MAX = 50;

/** What stands behind the first question mark; others are of a value. */
export function askedBy(pathAndQuery: string): URLSearchParams {
  const query = pathAndQuery.indexOf("?");
  return new URLSearchParams(query === -1 ? "" : pathAndQuery.slice(query + 1));
}

/** @throws APIError invalid_request that names the parameters of the request which are none of a list, or of `names` instead */
export function refuseUnknown<Row extends ListedRow>(
  { columns, isAppendOnly }: Resource<Row>,
  names: readonly string[] = KNOWN,
): void {
  const meta = currentRequest();
  if (meta?.type !== "api-call") return;
  const filters = Object.entries(columns).flatMap(([name, { operators }]) => (operators.length > 0 ? [name] : []));
  const known = [...names.filter((name) => !isAppendOnly || name !== "deleted"), ...filters];
  const unknown = new Set(askedBy(meta.pathAndQuery).keys());
  for (const name of known) unknown.delete(name);
  if (unknown.size === 0) return;
  const told = [...unknown]
    .slice(0, TOLD_MAX)
    .map((name) => [name.slice(0, NAME_TOLD_MAX), `is no parameter: there are ${known.join(", ")}`]);
  throw commonErrors.invalid_request({ fields: Object.fromEntries(told) as Record<string, string> });
}
