// Events of the auth service. Payloads carry ids and the least personal data that consumers need.
import { z } from "zod";
import { defineEvent } from "../event";

/** A person registered; the organisation they made, or were invited to, is their tenant. */
export const userRegistered = defineEvent({
  type: "auth.user.registered",
  version: 1,
  payload: z.object({ userId: z.uuid(), organisationId: z.uuid(), organisationName: z.string() }),
});

/** Its owner deleted the account: nobody signs in to it, and it goes at `purgeAt` unless it is taken back. */
export const userDeletionScheduled = defineEvent({
  type: "auth.user.deletion-scheduled",
  version: 1,
  payload: z.object({ userId: z.uuid(), purgeAt: z.iso.datetime() }),
});

export const userRestored = defineEvent({
  type: "auth.user.restored",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** The account is gone for good: whoever holds something of this person removes it. */
export const userDeleted = defineEvent({
  type: "auth.user.deleted",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** An organisation, and with it a tenant, came to be. */
export const organisationCreated = defineEvent({
  type: "auth.organisation.created",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), name: z.string(), ownerId: z.uuid() }),
});

export const organisationRenamed = defineEvent({
  type: "auth.organisation.renamed",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), name: z.string() }),
});

/** An owner deleted it: nobody signs in to it, and it goes at `purgeAt` unless it is restored. */
export const organisationClosing = defineEvent({
  type: "auth.organisation.deletion-scheduled",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), purgeAt: z.iso.datetime() }),
});

export const organisationRestored = defineEvent({
  type: "auth.organisation.restored",
  version: 1,
  payload: z.object({ organisationId: z.uuid() }),
});

/** An owner takes everything out that the organisation may take with it. */
export const organisationExportStarted = defineEvent({
  type: "auth.organisation.export-started",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), userId: z.uuid() }),
});

/** It is gone for good: whoever holds something of this tenant removes it. */
export const organisationDeleted = defineEvent({
  type: "auth.organisation.deleted",
  version: 1,
  payload: z.object({ organisationId: z.uuid() }),
});

/** A refresh token came back that had been used up long ago: somebody else has it. The sign-in was ended. */
export const sessionCompromised = defineEvent({
  type: "auth.session.compromised",
  version: 1,
  payload: z.object({ userId: z.uuid(), sessionId: z.uuid(), organisationId: z.uuid().nullable() }),
});

export const passwordChanged = defineEvent({
  type: "auth.password.changed",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** The account's owner showed to read the mails of its address. */
export const emailVerified = defineEvent({
  type: "auth.email.verified",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** The account has another address, which its owner confirmed. */
export const emailChanged = defineEvent({
  type: "auth.email.changed",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** Its first address was given back by the link mailed there; its sign-ins ended. */
export const emailReverted = defineEvent({
  type: "auth.email.reverted",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** By a mailed link. `claimed`: nobody had verified the address before, so keys and second factors of the account went too. */
export const passwordReset = defineEvent({
  type: "auth.password.reset",
  version: 1,
  payload: z.object({ userId: z.uuid(), claimed: z.boolean() }),
});

/** `custom`: one that the organisation made, which `roleId` names. */
const role = z.enum(["owner", "admin", "member", "viewer", "custom"]);
const roleId = z.uuid().optional();

export const memberRoleChanged = defineEvent({
  type: "auth.member.role-changed",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), userId: z.uuid(), role, roleId, previousRole: role }),
});

export const memberInvited = defineEvent({
  type: "auth.member.invited",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), invitationId: z.uuid(), role, roleId, invitedBy: z.uuid() }),
});

export const memberInvitationRevoked = defineEvent({
  type: "auth.invitation.revoked",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), invitationId: z.uuid() }),
});

/** Somebody accepted an invitation. */
export const memberJoined = defineEvent({
  type: "auth.member.joined",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), userId: z.uuid(), role, roleId, invitationId: z.uuid() }),
});

/** Somebody signed in by the organisation's provider for the first time. */
export const memberProvisioned = defineEvent({
  type: "auth.member.provisioned",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), userId: z.uuid(), role, identityProviderId: z.uuid() }),
});

export const memberRemoved = defineEvent({
  type: "auth.member.removed",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), userId: z.uuid() }),
});

export const roleCreated = defineEvent({
  type: "auth.role.created",
  version: 1,
  payload: z.object({ roleId: z.uuid(), organisationId: z.uuid(), name: z.string(), permissions: z.array(z.string()) }),
});

/** Whoever has the role has these permissions from now on. */
export const roleChanged = defineEvent({
  type: "auth.role.changed",
  version: 1,
  payload: z.object({ roleId: z.uuid(), organisationId: z.uuid(), name: z.string(), permissions: z.array(z.string()) }),
});

export const roleDeleted = defineEvent({
  type: "auth.role.deleted",
  version: 1,
  payload: z.object({ roleId: z.uuid(), organisationId: z.uuid() }),
});

export const apiKeyCreated = defineEvent({
  type: "auth.api-key.created",
  version: 1,
  payload: z.object({
    keyId: z.uuid(),
    organisationId: z.uuid(),
    createdBy: z.uuid(),
    permissions: z.array(z.string()),
    /** Of the service principal whose key it is. */
    servicePrincipalId: z.uuid().optional(),
  }),
});

export const apiKeyRevoked = defineEvent({
  type: "auth.api-key.revoked",
  version: 1,
  payload: z.object({ keyId: z.uuid(), organisationId: z.uuid() }),
});

/** It has a new secret; the one before is good until `previousUntil`. */
export const apiKeyRotated = defineEvent({
  type: "auth.api-key.rotated",
  version: 1,
  payload: z.object({ keyId: z.uuid(), organisationId: z.uuid(), previousUntil: z.iso.datetime() }),
});

/** A machine of an organisation came to be. */
export const servicePrincipalCreated = defineEvent({
  type: "auth.service-principal.created",
  version: 1,
  payload: z.object({ servicePrincipalId: z.uuid(), organisationId: z.uuid(), permissions: z.array(z.string()) }),
});

export const servicePrincipalChanged = defineEvent({
  type: "auth.service-principal.changed",
  version: 1,
  payload: z.object({
    servicePrincipalId: z.uuid(),
    organisationId: z.uuid(),
    permissions: z.array(z.string()),
    isDisabled: z.boolean(),
  }),
});

/** Its keys are gone with it. */
export const servicePrincipalDeleted = defineEvent({
  type: "auth.service-principal.deleted",
  version: 1,
  payload: z.object({ servicePrincipalId: z.uuid(), organisationId: z.uuid() }),
});

/** The organisation says that the domain is its own; nothing follows from it yet. */
export const domainAdded = defineEvent({
  type: "auth.domain.added",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), domainId: z.uuid(), domain: z.string() }),
});

/** A record at the domain's name server showed that it is the organisation's. */
export const domainVerified = defineEvent({
  type: "auth.domain.verified",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), domainId: z.uuid(), domain: z.string() }),
});

/** `missing`: the record was not there for days, or nobody answered for two weeks; `taken`: nor when another organisation showed its own. */
export const domainLost = defineEvent({
  type: "auth.domain.lost",
  version: 1,
  payload: z.object({
    organisationId: z.uuid(),
    domainId: z.uuid(),
    domain: z.string(),
    reason: z.enum(["missing", "taken"]),
  }),
});

/** The organisation gave it up. */
export const domainRemoved = defineEvent({
  type: "auth.domain.removed",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), domainId: z.uuid(), domain: z.string() }),
});

/** The organisation has a provider of its own, or the one it has is another from now on. */
export const identityProviderChanged = defineEvent({
  type: "auth.identity-provider.changed",
  version: 1,
  payload: z.object({
    organisationId: z.uuid(),
    identityProviderId: z.uuid(),
    issuer: z.string(),
    defaultRole: z.enum(["admin", "member", "viewer"]),
    isRequired: z.boolean(),
  }),
});

/** Nobody signs in by it any more. */
export const identityProviderRemoved = defineEvent({
  type: "auth.identity-provider.removed",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), identityProviderId: z.uuid() }),
});

/** An account at an OpenID provider signs in to this one from now on; `how` it came to that. */
export const identityLinked = defineEvent({
  type: "auth.identity.linked",
  version: 1,
  payload: z.object({
    userId: z.uuid(),
    identityId: z.uuid(),
    provider: z.string(),
    /**
     * `registered` the account with it; `matched` a verified address; `claimed` an account whose address nobody had
     * verified, so that its sessions and credentials went; `linked` by its owner.
     */
    how: z.enum(["registered", "matched", "claimed", "linked"]),
  }),
});

export const identityUnlinked = defineEvent({
  type: "auth.identity.unlinked",
  version: 1,
  payload: z.object({ userId: z.uuid(), identityId: z.uuid(), provider: z.string() }),
});

const factor = { factor: z.enum(["totp", "passkey"]), factorId: z.uuid().nullable() };

/** A second factor was put into use; `factorId` of a passkey. */
export const factorAdded = defineEvent({
  type: "auth.factor.added",
  version: 1,
  payload: z.object({ userId: z.uuid(), ...factor }),
});

export const factorRemoved = defineEvent({
  type: "auth.factor.removed",
  version: 1,
  payload: z.object({ userId: z.uuid(), ...factor }),
});

/** New recovery codes replaced those of before. */
export const recoveryCodesCreated = defineEvent({
  type: "auth.recovery-codes.created",
  version: 1,
  payload: z.object({ userId: z.uuid() }),
});

/** Somebody showed a recovery code instead of a factor; so many are left. */
export const recoveryCodeUsed = defineEvent({
  type: "auth.recovery-code.used",
  version: 1,
  payload: z.object({ userId: z.uuid(), left: z.number().int().min(0) }),
});
