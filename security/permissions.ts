// What may be done, and by whom: a closed catalogue of permissions and one row of it for each role. The
// matrix is exhaustively typed, so a new permission does not compile until every role has decided on it.
// The only place that knows what a role may: everything else asks a principal's set of permissions.

/** Written out, because it stands in endpoints' types and Encore reads no indexed types there. */
export type Role = "owner" | "admin" | "member" | "viewer";
/** What a member holds: one of these, or a role that the organisation made. */
export type MemberRole = "owner" | "admin" | "member" | "viewer" | "custom";
/** From the strongest to the weakest. */
export const roles: readonly Role[] = ["owner", "admin", "member", "viewer"];

export const permissions = [
  "organisation.read",
  "organisation.update",
  "organisation.delete",
  "organisation.export",
  "member.read",
  "member.manage",
  "role.read",
  "role.manage",
  "api_key.read",
  "api_key.manage",
  "service_principal.read",
  "service_principal.manage",
  "domain.read",
  "domain.manage",
  "identity_provider.read",
  "identity_provider.manage",
  "document.read",
  "document.write",
  "document.delete",
  "asset.read",
  "asset.write",
  "asset.delete",
  "event.read",
  "event.redrive",
  "event.discard",
  "job.read",
  "job.cancel",
  "job.manage",
  "job.redrive",
  "job.discard",
  "saga.read",
  "saga.cancel",
  "saga.manage",
  "audit.read",
  "audit.personal",
  "flag.read",
  "secret.read",
  "secret.manage",
  "ai.use",
  "ai_budget.read",
  "ai_budget.manage",
  "catalogue.read",
  "catalogue.write",
  "catalogue.delete",
  "sandbox.run",
  "notification.read",
  "notification.send",
  "notification.manage",
  "order.read",
  "order.write",
  "order.delete",
  "webhook.read",
  "webhook.replay",
  "webhook.manage",
  "ledger.read",
  "ledger.write",
  "ledger.delete",
] as const;
export type Permission = (typeof permissions)[number];

const yes = true;
const no = false;

/** Role × permission: least privilege, read row by row. */
export const matrix = {
  "organisation.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "organisation.update": { owner: yes, admin: yes, member: no, viewer: no },
  "organisation.delete": { owner: yes, admin: no, member: no, viewer: no },
  "organisation.export": { owner: yes, admin: no, member: no, viewer: no },
  "member.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "member.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "role.read": { owner: yes, admin: yes, member: no, viewer: no },
  "role.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "api_key.read": { owner: yes, admin: yes, member: no, viewer: no },
  "api_key.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "service_principal.read": { owner: yes, admin: yes, member: no, viewer: no },
  "service_principal.manage": { owner: yes, admin: yes, member: no, viewer: no },
  // Who speaks for a domain's people speaks for the owner too: for nobody below one.
  "domain.read": { owner: yes, admin: yes, member: no, viewer: no },
  "domain.manage": { owner: yes, admin: no, member: no, viewer: no },
  "identity_provider.read": { owner: yes, admin: yes, member: no, viewer: no },
  "identity_provider.manage": { owner: yes, admin: no, member: no, viewer: no },
  "document.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "document.write": { owner: yes, admin: yes, member: yes, viewer: no },
  "document.delete": { owner: yes, admin: yes, member: yes, viewer: no },
  "asset.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "asset.write": { owner: yes, admin: yes, member: yes, viewer: no },
  "asset.delete": { owner: yes, admin: yes, member: yes, viewer: no },
  "event.read": { owner: yes, admin: yes, member: no, viewer: no },
  "event.redrive": { owner: yes, admin: yes, member: no, viewer: no },
  "event.discard": { owner: yes, admin: yes, member: no, viewer: no },
  "job.read": { owner: yes, admin: yes, member: yes, viewer: no },
  "job.cancel": { owner: yes, admin: yes, member: yes, viewer: no },
  "job.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "job.redrive": { owner: yes, admin: yes, member: no, viewer: no },
  "job.discard": { owner: yes, admin: yes, member: no, viewer: no },
  "saga.read": { owner: yes, admin: yes, member: yes, viewer: no },
  "saga.cancel": { owner: yes, admin: yes, member: yes, viewer: no },
  "saga.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "audit.read": { owner: yes, admin: yes, member: no, viewer: no },
  "audit.personal": { owner: yes, admin: no, member: no, viewer: no },
  "flag.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "secret.read": { owner: yes, admin: yes, member: no, viewer: no },
  "secret.manage": { owner: yes, admin: yes, member: no, viewer: no },
  // Costs the organisation's money.
  "ai.use": { owner: yes, admin: yes, member: yes, viewer: no },
  "ai_budget.read": { owner: yes, admin: yes, member: no, viewer: no },
  "ai_budget.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "catalogue.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "catalogue.write": { owner: yes, admin: yes, member: yes, viewer: no },
  "catalogue.delete": { owner: yes, admin: yes, member: yes, viewer: no },
  "sandbox.run": { owner: yes, admin: yes, member: yes, viewer: no },
  "notification.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  // Reaches colleagues outside the app, in the organisation's name.
  "notification.send": { owner: yes, admin: yes, member: yes, viewer: no },
  "notification.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "order.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "order.write": { owner: yes, admin: yes, member: yes, viewer: no },
  "order.delete": { owner: yes, admin: yes, member: yes, viewer: no },
  "webhook.read": { owner: yes, admin: yes, member: no, viewer: no },
  "webhook.replay": { owner: yes, admin: yes, member: no, viewer: no },
  // Whoever sets one up reads from then on what happens in the organisation, elsewhere.
  "webhook.manage": { owner: yes, admin: yes, member: no, viewer: no },
  "ledger.read": { owner: yes, admin: yes, member: yes, viewer: yes },
  "ledger.write": { owner: yes, admin: yes, member: yes, viewer: no },
  "ledger.delete": { owner: yes, admin: yes, member: yes, viewer: no },
} as const satisfies Record<Permission, Record<Role, boolean>>;

/**
 * Rights over people, keys and the organisation itself, which no key may hold: a stolen key must not outlive its end. Nor
 * what cannot be undone: its endpoints are `fresh`, and a key has nothing to show anew. Nor an inbox, which a key has not.
 */
const forPeople: ReadonlySet<Permission> = new Set<Permission>([
  "organisation.update",
  "organisation.delete",
  "organisation.export",
  "member.manage",
  "role.manage",
  "api_key.manage",
  "service_principal.manage",
  "domain.manage",
  "identity_provider.manage",
  "audit.personal",
  "secret.manage",
  "ai_budget.manage",
  "webhook.manage",
  "event.discard",
  "job.discard",
  "notification.read",
]);
/** What a key may hold. */
export const keyPermissions: readonly Permission[] = permissions.filter((permission) => !forPeople.has(permission));

/** What a role that an organisation makes may hold: all that more than the owner has. */
export const rolePermissions: readonly Permission[] = permissions.filter((permission) =>
  roles.some((role) => role !== "owner" && matrix[permission][role]),
);

/** Of the platform's staff: no role, key or organisation holds one of these, and staff hold none of the others. */
export const operatorPermissions = [
  "operator.organisation.read",
  "operator.member.read",
  "operator.audit.read",
  "operator.system.read",
  "operator.flag.read",
  "operator.flag.manage",
  "operator.consumer.read",
  "operator.consumer.manage",
  "operator.dead_letter.read",
  "operator.dead_letter.manage",
] as const;
export type OperatorPermission = (typeof operatorPermissions)[number];

const nothing: ReadonlySet<Permission> = new Set();
/** Made once and shared by everybody of the role: nothing is made for a request. */
const granted: ReadonlyMap<string, ReadonlySet<Permission>> = new Map(
  roles.map((role) => [role, new Set(permissions.filter((permission) => matrix[permission][role]))]),
);

/** What a role holds: one way to fill a principal's set. A role that does not exist holds nothing. */
export function permissionsOf(role: string): ReadonlySet<Permission> {
  return granted.get(role) ?? nothing;
}

/** Whether `principal` holds `permission`. Asks its set alone, whatever filled it. */
export function can(
  principal: { readonly permissions: ReadonlySet<Permission | OperatorPermission> },
  permission: Permission | OperatorPermission,
): boolean {
  return principal.permissions.has(permission);
}

export function isOperatorPermission(text: string): text is OperatorPermission {
  return (operatorPermissions as readonly string[]).includes(text);
}

export function isPermission(text: string): text is Permission {
  return (permissions as readonly string[]).includes(text);
}

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}
