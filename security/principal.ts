// Who is calling. The auth handler answers `AuthData` (hand-written, as Encore demands); inside the app the
// same facts travel as a `Principal` with branded ids, so that a tenant id cannot be mistaken for a subject's.
import { getAuthData } from "~encore/auth";

import { commonErrors } from "./common-errors";
import {
  isOperatorPermission,
  isPermission,
  isRole,
  permissionsOf,
  type OperatorPermission,
  type Permission,
  type Role,
} from "./permissions";
import { RecentMap } from "./recent-map";
import { isUuid } from "./uuid";

declare const brand: unique symbol;
export type TenantId = string & { readonly [brand]: "TenantId" };
/** Of an account, a key, a machine or a member of the platform's staff: the principal's `kind` says which. */
export type SubjectId = string & { readonly [brand]: "SubjectId" };

export type PrincipalKind = "user" | "key" | "service" | "operator";

/**
 * What the auth handler answers: plain types, because Encore writes them into generated code, and texts only, because
 * the host copies those without making JSON of them. A person's has the first four.
 */
export interface AuthData {
  /** The subject's id; Encore fixes the name. */
  userID: string;
  /** The organisation they act in; absent when they have chosen none. */
  tenantId?: string;
  /** Fills the permissions of a person. */
  role?: Role;
  sessionId?: string;
  /** Absent: a person. */
  kind?: "user" | "key" | "service" | "operator";
  /** Of the key that a machine came with. */
  keyId?: string;
  /** Of the key that was shown: the first bytes of its digest, in base64url. A key that was rotated has others. */
  keyDigest?: string;
  /** Fills the permissions of everybody else: their names with a space between (as RFC 6749 §3.3 writes scopes). */
  scope?: string;
  /** Who acts in the subject's name, as `kind:id`, when it is not the subject (RFC 8693 §4.1). */
  actor?: string;
  /** When the person last showed who they are, in seconds since the epoch (OIDC Core §2, `auth_time`). */
  authTime?: string;
  /** How they did: names with a space between (RFC 8176, `amr`). */
  amr?: string;
}

/** Whoever brings valid credentials; perhaps in no organisation, and then without any permission. */
export interface Caller {
  readonly kind: PrincipalKind;
  readonly subjectId: SubjectId;
  readonly tenantId: TenantId | null;
  readonly permissions: ReadonlySet<Permission | OperatorPermission>;
  readonly sessionId?: string;
  /** See AuthData. */
  readonly keyId?: string;
  /** See AuthData. */
  readonly keyDigest?: string;
  readonly actor?: string;
  /** Seconds since the epoch: see AuthData. */
  readonly authTime?: number;
  /** See AuthData. */
  readonly amr?: string;
}

/** A caller in an organisation: what everything that belongs to a tenant asks for. */
export interface Principal extends Caller {
  readonly tenantId: TenantId;
}

/** Texts that are UUIDs: the same few come with every request, and looking one up costs a fifth of reading it. */
const uuids = new RecentMap<true>(10_000);

function isKnownUuid(text: string): boolean {
  if (uuids.get(text) !== undefined) return true;
  if (!isUuid(text)) return false;
  uuids.set(text, true);
  return true;
}

/** @throws Error when `text` is no UUID: a tenant id is never taken from a caller's free text. */
export function tenantIdFrom(text: string): TenantId {
  if (!isKnownUuid(text)) throw new TypeError("a tenant id must be a UUID");
  return text as TenantId;
}

/** @throws Error when `text` is no UUID. */
export function subjectIdFrom(text: string): SubjectId {
  if (!isKnownUuid(text)) throw new TypeError("a subject's id must be a UUID");
  return text as SubjectId;
}

const none: ReadonlySet<Permission> = new Set();
/** Sets by the text they were read from: keys of one kind have the same few. */
const scopes = new RecentMap<ReadonlySet<Permission>>(1000);

/** Names that are no permission grant nothing. */
function permissionsIn(scope: string): ReadonlySet<Permission> {
  let read = scopes.get(scope);
  if (read === undefined) scopes.set(scope, (read = new Set(scope.split(" ").filter(isPermission))));
  return read;
}

/** Staff are in no organisation, and hold nothing that somebody in one holds. */
function permissionsOfOperator({ tenantId, role, scope }: AuthData): ReadonlySet<OperatorPermission> | undefined {
  if (tenantId !== undefined || role !== undefined || scope === undefined) return undefined;
  return new Set(scope.split(" ").filter(isOperatorPermission));
}

function permissionsFor(data: AuthData): ReadonlySet<Permission | OperatorPermission> | undefined {
  const { kind, tenantId, role, scope } = data;
  if (kind === "operator") return permissionsOfOperator(data);
  if (tenantId === undefined) return role === undefined && scope === undefined ? none : undefined;
  if (role !== undefined) return isRole(role) && scope === undefined ? permissionsOf(role) : undefined;
  return scope === undefined ? undefined : permissionsIn(scope);
}

/**
 * The caller of what the auth handler answered.
 * @throws APIError unauthenticated when the data does not hold a whole identity.
 */
export function callerFrom(data: AuthData): Caller {
  const { userID, tenantId, sessionId, keyId, keyDigest, actor, authTime, amr } = data;
  const permissions = permissionsFor(data);
  if (!isKnownUuid(userID) || (tenantId !== undefined && !isKnownUuid(tenantId)) || permissions === undefined) {
    throw commonErrors.unauthenticated({ internal: "auth data without a whole identity" });
  }
  const caller: { -readonly [K in keyof Caller]: Caller[K] } = {
    kind: data.kind ?? "user",
    subjectId: userID as SubjectId,
    tenantId: (tenantId as TenantId | undefined) ?? null,
    permissions,
  };
  // Not by spreading: Node 20 takes two microseconds for each field that a literal spreads after others.
  if (sessionId !== undefined) caller.sessionId = sessionId;
  if (keyId !== undefined) caller.keyId = keyId;
  if (keyDigest !== undefined) caller.keyDigest = keyDigest;
  if (actor !== undefined) caller.actor = actor;
  if (authTime !== undefined) caller.authTime = Number(authTime);
  if (amr !== undefined) caller.amr = amr;
  return caller;
}

/** @throws APIError unauthenticated, no_organisation. */
export function principalFrom(data: AuthData): Principal {
  return inOrganisation(callerFrom(data));
}

function inOrganisation(caller: Caller): Principal {
  if (!isPrincipal(caller)) throw commonErrors.no_organisation();
  return caller;
}

/** Whether the caller acts in an organisation. */
export function isPrincipal(caller: Caller): caller is Principal {
  return caller.tenantId !== null;
}

/** The caller of the current request, or undefined when nobody is signed in. */
export function findCaller(): Caller | undefined {
  const data = getAuthData();
  return data === null ? undefined : callerFrom(data);
}

/**
 * The caller of the current request, in an organisation or not: for what belongs to them and not to a tenant.
 * @throws APIError unauthenticated when nobody is signed in.
 */
export function currentCaller(): Caller {
  const caller = findCaller();
  if (caller === undefined) throw commonErrors.unauthenticated();
  return caller;
}

/**
 * The caller of the current request, in their organisation.
 * @throws APIError unauthenticated when nobody is signed in, no_organisation when they have chosen none.
 */
export function currentPrincipal(): Principal {
  return inOrganisation(currentCaller());
}

/** One text for who acted: `kind:id`. */
export function actorOf({ kind, subjectId, actor }: Caller): string {
  return actor ?? `${kind}:${subjectId}`;
}
