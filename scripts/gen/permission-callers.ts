// Who gets in where, by the tags alone: the third table of docs/permissions.md. Told from the tags a second time, not by the
// guard's own code: runtime/__tests__/whole-app/permission-matrix.ts asks every endpoint as each of these callers, and
// the guard has to say what stands there.
import {
  keyPermissions,
  operatorPermissions,
  permissionsOf,
  type OperatorPermission,
  type Permission,
} from "../../security/permissions";

export interface MatrixCaller {
  kind: "nobody" | "user" | "key" | "operator";
  isInOrganisation: boolean;
  permissions: ReadonlySet<string>;
  /** Has shown within ten minutes who they are. */
  isFresh: boolean;
  /** Has shown something of the account's own. */
  hasOwnProof: boolean;
}

/** Of a role that an organisation made: more than a member's here, less than a viewer's there. */
export const customPermissions: readonly Permission[] = [
  "member.read",
  "role.read",
  "audit.read",
  "event.read",
  "job.read",
  "job.cancel",
  "saga.read",
];
export const machinePermissions: readonly Permission[] = [
  "document.read",
  "document.write",
  "job.read",
  "job.cancel",
  "saga.read",
  "saga.cancel",
];

const none: readonly Permission[] = [];
const caller = (
  kind: MatrixCaller["kind"],
  permissions: Iterable<Permission | OperatorPermission>,
  more: Partial<MatrixCaller> = {},
): MatrixCaller => ({
  kind,
  permissions: new Set(permissions),
  isInOrganisation: kind === "user" || kind === "key",
  isFresh: kind === "user" || kind === "operator",
  hasOwnProof: kind === "user",
  ...more,
});

/** By the table's columns. */
export const matrixCallers: Readonly<Record<string, MatrixCaller>> = {
  nobody: caller("nobody", none),
  "in none": caller("user", none, { isInOrganisation: false }),
  vouched: caller("user", none, { isInOrganisation: false, hasOwnProof: false }),
  viewer: caller("user", permissionsOf("viewer")),
  member: caller("user", permissionsOf("member")),
  custom: caller("user", customPermissions),
  admin: caller("user", permissionsOf("admin")),
  owner: caller("user", permissionsOf("owner")),
  "owner, later": caller("user", permissionsOf("owner"), { isFresh: false }),
  key: caller("key", keyPermissions),
  machine: caller("key", machinePermissions),
  operator: caller("operator", operatorPermissions),
};

/** What stands in the table, and what the guard says instead of letting in. */
export const refusals = {
  "401": "unauthenticated",
  "—": "permission_denied",
  none: "no_organisation",
  "step-up": "step_up_required",
  "own proof": "own_proof_required",
} as const;

/** `own`: for what is the caller's own. */
export type Cell = "yes" | "own" | keyof typeof refusals;

export function cellOf(tags: readonly string[], by: MatrixCaller): Cell {
  if (tags.some((tag) => tag.startsWith("public:"))) return "yes";
  if (by.kind === "nobody") return "401";
  return refusedBy(tags, by) ?? (ownsIt(tags, by) ? "yes" : "own");
}

function refusedBy(tags: readonly string[], by: MatrixCaller): keyof typeof refusals | undefined {
  const isPerson = by.kind === "user";
  const needed = tags.filter((tag) => tag.startsWith("can:")).map((tag) => tag.slice("can:".length));
  if (tags.includes("self") && !isPerson) return "—";
  if (needed.length > 0 && !by.isInOrganisation && by.kind !== "operator") return "none";
  if (needed.some((permission) => !by.permissions.has(permission))) return "—";
  if (tags.includes("own-proof") && !by.hasOwnProof) return "own proof";
  if (!tags.includes("fresh") || by.isFresh) return undefined;
  return isPerson ? "step-up" : "—";
}

const ownsIt = (tags: readonly string[], by: MatrixCaller): boolean =>
  tags
    .filter((tag) => tag.startsWith("owns:"))
    .every((tag) => by.permissions.has(`${tag.slice("owns:".length)}.manage`));
