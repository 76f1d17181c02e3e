// The error catalogue of the auth service. Texts tell apart only what the caller may know: a wrong password
// and an unknown e-mail are one error, every unusable refresh token is one error.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("auth", {
  invalid_credentials: {
    class: "unauthenticated",
    text: "the e-mail or the password is wrong",
    remedy: "Check both; after several failures wait for details.retryAfterSeconds of the 429 answer.",
  },
  second_factor_required: {
    class: "unauthenticated",
    text: "the account asks for a second factor",
    remedy:
      "At sign-in send details.challenge and one of details.methods to POST /auth/login/second-factor within five minutes; at POST /auth/step-up show one of details.methods instead of the password.",
  },
  second_factor_invalid: {
    class: "unauthenticated",
    text: "the code is wrong, or was used before",
    remedy:
      "Wait for the next code of the app, or use a recovery code; after many wrong ones only another factor helps.",
  },
  challenge_invalid: {
    class: "unauthenticated",
    text: "the challenge is not valid any more: it was used, its time is up, or the password changed",
    remedy: "Begin again.",
  },
  provider_did_not_ask: {
    class: "unauthenticated",
    text: "the provider did not ask again who you are",
    remedy:
      "Sign in there anew when it asks; one that never does tells no auth_time: use another of GET /auth/step-up/methods.",
  },
  step_up_by_mail_refused: {
    class: "failed_precondition",
    text: "a mailed code is for accounts with a verified address and no password",
    remedy:
      "Use one of GET /auth/step-up/methods; POST /auth/verify-email/send mails the link that verifies the address.",
  },
  totp_in_use: {
    class: "failed_precondition",
    text: "the account has codes of an app already",
    remedy: "Remove them first, with DELETE /auth/factors/totp.",
  },
  totp_not_begun: {
    class: "failed_precondition",
    text: "no secret waits to be confirmed",
    remedy: "Begin with POST /auth/factors/totp; the secret waits for fifteen minutes.",
  },
  passkey_invalid: {
    class: "unauthenticated",
    text: "the passkey is not known here, or did not sign what it was asked to",
    remedy: "Begin again; an account's passkeys are listed at GET /auth/passkeys.",
  },
  too_many_passkeys: {
    class: "failed_precondition",
    text: "the account has as many passkeys as one can have",
    remedy: "Remove one that is not used any more, with DELETE /auth/passkeys/:id.",
  },
  passkeys_not_configured: {
    class: "unimplemented",
    text: "this installation has no passkeys",
    remedy: "For operators: set APP_URL to the https address at which people use the app; passkeys belong to its host.",
  },
  factor_not_found: {
    class: "not_found",
    text: "the account has no such second factor",
    remedy: "List them with GET /auth/factors.",
  },
  invalid_token: {
    class: "unauthenticated",
    text: "the access token is not valid or has expired",
    remedy: "Get a new one with POST /auth/refresh, or sign in again.",
  },
  refresh_token_invalid: {
    class: "unauthenticated",
    text: "the refresh token is not valid any more",
    remedy: "Sign in again with POST /auth/login.",
  },
  refresh_superseded: {
    class: "aborted",
    text: "the refresh token was used a moment ago, and its successor has been used too",
    remedy: "Use the newest tokens that your other requests received.",
  },
  email_taken: {
    class: "already_exists",
    text: "this e-mail is already registered",
    remedy: "Sign in with POST /auth/login.",
  },
  link_invalid: {
    class: "failed_precondition",
    text: "the token of this link is not valid any more: it was used, a newer mail replaced it, or its time is up",
    remedy: "Ask for a new mail, and use the newest one that arrives.",
  },
  oidc_provider_not_found: {
    class: "not_found",
    text: "there is no such provider to sign in with",
    remedy: "List them with GET /auth/oidc/providers.",
  },
  oidc_unavailable: {
    class: "unavailable",
    text: "the provider cannot be reached",
    remedy: "Try again later, or sign in another way.",
  },
  oidc_failed: {
    class: "unauthenticated",
    text: "the provider did not confirm who you are",
    remedy: "Begin again. For operators: the log names the provider and what was wrong.",
  },
  oidc_email_missing: {
    class: "failed_precondition",
    text: "the provider tells no e-mail address, which an account needs",
    remedy: "Register with an e-mail, sign in and link the provider from the account page.",
  },
  oidc_address_refused: {
    class: "permission_denied",
    text: "the organisation's provider may not speak for this address",
    remedy:
      "The provider must tell an address of a domain that the organisation has verified (GET /auth/domains), and not say that it is unverified; the account's own address must be of one too.",
  },
  oidc_membership_ended: {
    class: "permission_denied",
    text: "you are no member of the organisation any more",
    remedy: "Ask for an invitation (POST /auth/invitations), or sign in another way to your account.",
  },
  provider_required: {
    class: "permission_denied",
    text: "your organisation asks you to sign in at its provider",
    remedy:
      "Begin with POST /auth/oidc/begin and your e-mail. Its owners sign in as ever, and can change that with PUT /auth/identity-provider. Your address can be changed for one of your organisation's domains alone.",
  },
  identity_provider_not_found: {
    class: "not_found",
    text: "the organisation has no provider of its own",
    remedy: "Set one up with PUT /auth/identity-provider.",
  },
  domain_required: {
    class: "failed_precondition",
    text: "the organisation has no verified domain, so its provider could vouch for nobody",
    remedy: "Name and verify one first, with POST /auth/domains.",
  },
  oidc_link_required: {
    class: "failed_precondition",
    text: "an account with this address exists, and the provider does not show that it is yours",
    remedy: "Sign in to it as before, then link the provider from the account page (POST /auth/identities/begin).",
  },
  identity_taken: {
    class: "already_exists",
    text: "this account of the provider is linked already",
    remedy: "Sign in with it; to link it to another account, unlink it there first.",
  },
  identity_not_found: {
    class: "not_found",
    text: "your account is not linked to that",
    remedy: "List what it is linked to with GET /auth/identities.",
  },
  too_many_identities: {
    class: "failed_precondition",
    text: "the account is linked to as many as one can be",
    remedy: "Unlink one that is not used any more, with DELETE /auth/identities/:id.",
  },
  last_sign_in_method: {
    class: "failed_precondition",
    text: "without it nobody could sign in to the account any more",
    remedy: "Set a password (POST /auth/password/forgot) or add a passkey first.",
  },
  account_closing: {
    class: "failed_precondition",
    text: "the account was deleted and waits for its end",
    remedy:
      "To keep it, use the link of the mail about it (POST /auth/account/restore); POST /auth/password/forgot mails it again.",
  },
  sole_owner: {
    class: "failed_precondition",
    text: "you are the last owner of organisations that have other members",
    remedy:
      "Hand over (POST /auth/organisations/:id/transfer) or delete each of details.organisations (details.organisationIds has their ids in the same order), then delete the account.",
  },
  session_not_found: {
    class: "not_found",
    text: "you have no such session",
    remedy: "List yours with GET /auth/sessions; one that has ended is not among them.",
  },
  organisation_not_found: {
    class: "not_found",
    text: "you belong to no such organisation",
    remedy: "List yours with GET /auth/organisations.",
  },
  too_many_accounts: {
    class: "failed_precondition",
    text: "this browser holds as many accounts as one can",
    remedy: "Sign one out with DELETE /auth/accounts/:userId; GET /auth/accounts lists them.",
  },
  account_not_in_browser: {
    class: "not_found",
    text: "this browser is not signed in to that account",
    remedy:
      "GET /auth/accounts lists those it is signed in to; sign in to others with POST /auth/login and cookies: true.",
  },
  too_many_organisations: {
    class: "failed_precondition",
    text: "you belong to as many organisations as one account can",
    remedy: "Leave one, or use another account.",
  },
  api_key_not_found: {
    class: "not_found",
    text: "the organisation has no such API key",
    remedy: "List its keys with GET /auth/api-keys.",
  },
  too_many_api_keys: {
    class: "failed_precondition",
    text: "the organisation has as many API keys as one can have",
    remedy: "Revoke one that is not used any more, with DELETE /auth/api-keys/:id.",
  },
  address_not_allowed: {
    class: "permission_denied",
    text: "this API key may not be used from your address",
    remedy:
      "Use it from one of its networks, which GET /auth/api-keys lists, or make a key for where you are. For operators: behind a proxy, TRUSTED_PROXIES must name it.",
  },
  role_not_found: {
    class: "not_found",
    text: "the organisation has no such role",
    remedy:
      "List the roles that it made with GET /auth/roles; owner, admin, member and viewer are named by their names.",
  },
  role_exists: {
    class: "already_exists",
    text: "the organisation has a role of this name",
    remedy: "Choose another name; those of the built-in roles are taken too.",
  },
  role_in_use: {
    class: "failed_precondition",
    text: "members or invitations have this role",
    remedy:
      "Give these members another role with PATCH /auth/members/:userId, take these invitations back, then delete it.",
  },
  too_many_roles: {
    class: "failed_precondition",
    text: "the organisation has as many roles as one can have",
    remedy: "Delete one that is not used any more, with DELETE /auth/roles/:id.",
  },
  service_principal_not_found: {
    class: "not_found",
    text: "the organisation has no such service principal",
    remedy: "List them with GET /auth/service-principals.",
  },
  service_principal_exists: {
    class: "already_exists",
    text: "the organisation has a service principal of this name",
    remedy: "Choose another name.",
  },
  too_many_service_principals: {
    class: "failed_precondition",
    text: "the organisation has as many service principals as one can have",
    remedy: "Delete one that is not used any more, with DELETE /auth/service-principals/:id.",
  },
  domain_not_found: {
    class: "not_found",
    text: "the organisation has no such domain",
    remedy: "List them with GET /auth/domains.",
  },
  domain_exists: {
    class: "already_exists",
    text: "the organisation has named this domain already",
    remedy: "GET /auth/domains says which record is looked for.",
  },
  too_many_domains: {
    class: "failed_precondition",
    text: "the organisation has as many domains as one can have",
    remedy: "Remove one that is not used any more, with DELETE /auth/domains/:id.",
  },
  domain_unproven: {
    class: "failed_precondition",
    text: "the record that shows whose the domain is was not found",
    retryable: true,
    remedy:
      "Make the TXT record that GET /auth/domains names, with its value to the letter, and try again when the name servers have it: an answer of before may be remembered for as long as the zone says (mostly minutes, at most a day).",
  },
  domain_taken: {
    class: "already_exists",
    text: "another organisation has this domain verified, and shows its record still",
    remedy: "Remove the domain there, or its record from the name server, then try again.",
  },
  dns_unavailable: {
    class: "unavailable",
    text: "the domain's name servers do not answer",
    retryable: true,
    remedy: "Try again later. For operators: the machine's resolver must reach the internet.",
  },
  member_not_found: {
    class: "not_found",
    text: "the organisation has no such member",
    remedy: "List its members with GET /auth/members.",
  },
  already_member: {
    class: "already_exists",
    text: "somebody with this address is a member already",
    remedy: "Change their role with PATCH /auth/members/:userId.",
  },
  invitation_not_found: {
    class: "not_found",
    text: "there is no such invitation for you",
    remedy:
      "To accept, sign in with the address that the mail was sent to and use the newest mail; it may have expired or been taken back. To revoke, list them with GET /auth/invitations.",
  },
  too_many_invitations: {
    class: "failed_precondition",
    text: "the organisation has as many pending invitations as one can have",
    remedy: "Revoke some, or wait until they are accepted or expire.",
  },
  last_owner: {
    class: "failed_precondition",
    text: "an organisation needs an owner, and this is its last",
    remedy: "Make somebody else an owner first, with PATCH /auth/members/:userId.",
  },
  export_unavailable: {
    class: "unavailable",
    text: "the export cannot be made here now",
    retryable: true,
    remedy:
      "Try again later. For operators: this process does not host all services that keep something of organisations.",
  },
  only_way_in: {
    class: "failed_precondition",
    text: "you sign in by the organisation's provider alone, and could not sign in any more",
    remedy:
      "Let another owner do it, who has a password or a passkey; or ask who runs this installation for mail (MAIL_URL): then POST /auth/password/forgot gives you a password.",
  },
  own_provider_off: {
    class: "permission_denied",
    text: "your organisation may not bring a provider of its own",
    remedy: "Ask who runs this installation. For operators: it is the flag ownProvider of the organisation.",
  },
  operator_setup_invalid: {
    class: "failed_precondition",
    text: "the set-up is not valid any more: it was completed, replaced, or its hour is up",
    remedy: "Ask for another one, which `npm run admin -- operator reset EMAIL` prints.",
  },
  operator_link_invalid: {
    class: "unauthenticated",
    text: "the link is not valid any more: it was used, replaced, or its ten minutes are up",
    remedy:
      "Ask for another one, which `npm run admin -- operator link` prints. It opens the console in development and from the machine itself alone; elsewhere sign in with password and code.",
  },
  operator_exists: {
    class: "already_exists",
    text: "there is an operator with this e-mail already",
    remedy: "See them with `npm run admin -- operator list`; `operator reset EMAIL` gives one another set-up.",
  },
  too_many_operators: {
    class: "failed_precondition",
    text: "there are as many operators as there can be",
    remedy: "Remove who is not of the staff any more: `npm run admin -- operator list`, `operator remove EMAIL`.",
  },
  operator_not_found: {
    class: "not_found",
    text: "there is no operator with this e-mail",
    remedy: "See them with `npm run admin -- operator list`.",
  },
  operator_organisation_not_found: {
    class: "not_found",
    text: "there is no such organisation",
    remedy: "For operators: find it by a member's e-mail, with GET /operator/organisations?email=.",
  },
  password_unchecked: {
    class: "unavailable",
    text: "the password could not be looked for among leaked ones",
    retryable: true,
    remedy:
      "Try again later. For operators: BREACHED_PASSWORDS_URL does not answer, and BREACHED_PASSWORDS_WHEN_AWAY is refuse.",
  },
  weak_password: {
    class: "invalid_argument",
    text: "the password is not acceptable",
    remedy:
      "Choose one of 8 to 128 characters that is not among the common or leaked ones and is not made of your e-mail or a name of this place; a few random words do well.",
  },
});
