// All architecture rules, in the order in which a report reads best.
import type { Project, Rule, Violation } from "./project";
import { cycles } from "./rules/cycles";
import { deprecatedEvents } from "./rules/deprecated-events";
import { documents } from "./rules/documents";
import { endpointTags } from "./rules/endpoint-tags";
import { environment } from "./rules/environment";
import { fileNames } from "./rules/file-names";
import { guardMounted } from "./rules/guard-mounted";
import { layers } from "./rules/layers";
import { map } from "./rules/map";
import { migrationOrder } from "./rules/migration-order";
import { ownerChecks } from "./rules/owner-checks";
import { readmes } from "./rules/readmes";
import { serviceBorders } from "./rules/service-borders";
import { sqlPlace } from "./rules/sql-place";
import { sqlValues } from "./rules/sql-values";
import { suppressions } from "./rules/suppressions";
import { tableOwner } from "./rules/table-owner";

export const rules: readonly Rule[] = [
  layers,
  cycles,
  serviceBorders,
  sqlPlace,
  sqlValues,
  tableOwner,
  migrationOrder,
  environment,
  deprecatedEvents,
  endpointTags,
  ownerChecks,
  guardMounted,
  readmes,
  fileNames,
  suppressions,
  documents,
  map,
];

/** Everything that is broken, rule by rule. */
export function checkProject(project: Project): Violation[] {
  return rules.flatMap((rule) => rule.check(project));
}

/** One line a violation, as compilers write it, so that editors can jump there. */
export function formatViolation({ file, line, rule, message }: Violation): string {
  return `${file}:${line}  ${rule}  ${message}`;
}
