// Who is calling. The auth handler answers `AuthData` (hand-written, as Encore demands); inside the app the
// same facts travel as a `Principal` with branded ids, so that a tenant id cannot be mistaken for a user id.
import { validate as isUuid } from "uuid";
import { getAuthData } from "~encore/auth";

import { commonErrors } from "./common-errors";
import { isRole, type Role } from "./permissions";

declare const brand: unique symbol;
export type TenantId = string & { readonly [brand]: "TenantId" };
export type UserId = string & { readonly [brand]: "UserId" };

/** What the auth handler answers: plain types, because Encore writes them into generated code. */
export interface AuthData {
  userID: string;
  tenantId: string;
  role: Role;
  sessionId: string;
}

export interface Principal {
  readonly kind: "user";
  readonly userId: UserId;
  readonly tenantId: TenantId;
  readonly role: Role;
  readonly sessionId: string;
}

/** @throws Error when `text` is no UUID: a tenant id is never taken from a caller's free text. */
export function tenantIdFrom(text: string): TenantId {
  if (!isUuid(text)) throw new TypeError("a tenant id must be a UUID");
  return text as TenantId;
}

/** @throws Error when `text` is no UUID. */
export function userIdFrom(text: string): UserId {
  if (!isUuid(text)) throw new TypeError("a user id must be a UUID");
  return text as UserId;
}

/**
 * The principal of what the auth handler answered.
 * @throws APIError unauthenticated when the data does not hold a whole identity.
 */
export function principalFrom(data: AuthData): Principal {
  if (!isUuid(data.userID) || !isUuid(data.tenantId) || !isRole(data.role)) {
    throw commonErrors.unauthenticated({ internal: "auth data without a whole identity" });
  }
  return {
    kind: "user",
    userId: data.userID as UserId,
    tenantId: data.tenantId as TenantId,
    role: data.role,
    sessionId: data.sessionId,
  };
}

/** The caller of the current request, or undefined when nobody is signed in. */
export function findPrincipal(): Principal | undefined {
  const data = getAuthData();
  return data === null ? undefined : principalFrom(data);
}

/**
 * The caller of the current request.
 * @throws APIError unauthenticated when nobody is signed in.
 */
export function currentPrincipal(): Principal {
  const principal = findPrincipal();
  if (principal === undefined) throw commonErrors.unauthenticated();
  return principal;
}
