// What the endpoints' types cannot say.
import { z } from "zod";
import { hasControlCharacter } from "../../security/control-characters";
import { assertAllowed, OutboundError, type OutboundRules } from "../../security/outbound";
import { isWellFormed } from "../../security/well-formed";
import { eventTypes } from "./outgoing";
import { receiverRules } from "./post";
import { keyBytes } from "./signing";
import type { Scheme } from "./verifying";

/** Where webhooks may go, in one spelling. A name is judged again whenever it is asked. */
export const receiverUrl = (rules: OutboundRules): z.ZodType<string> =>
  z.string().transform((text, context) => {
    try {
      const url = assertAllowed(text, rules);
      url.hash = "";
      return url.href;
    } catch (error) {
      const why = error instanceof OutboundError ? error.message : "is no address";
      context.addIssue({ code: "custom", message: `${why}: give the https address of a public server` });
      return z.NEVER;
    }
  });

/** U+0000 cannot be stored, and the others cannot be seen. */
const description = z
  .string()
  .max(500)
  .refine((text) => !hasControlCharacter(text), "has a control character")
  .refine(isWellFormed, "has half a character");

const types = z
  .array(z.string().refine((type) => eventTypes.has(type), "is no type of event: GET /webhooks/event-types lists them"))
  .max(100)
  .transform((given) => [...new Set(given)].sort());

export const newEndpoint = z.object({
  url: receiverUrl(receiverRules),
  description: description.default(""),
  eventTypes: types.default([]),
  ordering: z.enum(["none", "aggregate"]).default("none"),
});

export const endpointPatch = z.object({
  url: receiverUrl(receiverRules).nullable().default(null),
  description: description.nullable().default(null),
  eventTypes: types.nullable().default(null),
  ordering: z.enum(["none", "aggregate"]).nullable().default(null),
  status: z.enum(["active", "disabled"]).nullable().default(null),
});

export const attemptFilter = z.object({
  messageId: z.uuid().optional(),
  outcome: z.enum(["delivered", "failed"]).optional(),
});

export const rotation = z.object({ overlapHours: z.int("is not a whole number").min(0).max(168).default(24) });

const moment = z.iso.datetime({ offset: true, error: "is no time as ISO 8601 has it" });

/** One message, or those of a time. */
export const replay = z
  .object({
    messageId: z.uuid("is no UUID").optional(),
    from: moment.optional(),
    until: moment.optional(),
    which: z.enum(["undelivered", "all"]).default("undelivered"),
    cursor: z.string().optional(),
  })
  .refine(({ messageId, from }) => (messageId === undefined) !== (from === undefined), {
    path: ["messageId"],
    message: "or from: give one of them",
  });

/** A text of which nothing is lost on the way. */
const isPlain = (text: string): boolean => [...text].every((letter) => letter >= " " && letter <= "~");

const KEY_BYTES = { min: 16, max: 64 } as const;

/** What a scheme's sender signs with. */
function isSecretOf(scheme: Scheme, secret: string): boolean {
  if (scheme === "github") return secret.length >= 16;
  if (scheme === "stripe") return secret.startsWith("whsec_") && secret.length >= 16;
  if (secret.startsWith("whpk_")) return keyBytes(secret, "whpk_").length === 32;
  const bytes = secret.startsWith("whsec_") ? keyBytes(secret, "whsec_").length : 0;
  return bytes >= KEY_BYTES.min && bytes <= KEY_BYTES.max;
}

const sharedSecret = z.string().max(200).refine(isPlain, "has other characters than those of ASCII");
const scheme = z.enum(["standard", "stripe", "github"]);
const secretFits = {
  path: ["secret"],
  message:
    "is none of this scheme: whsec_ or whpk_ and base64 (standard), whsec_… (stripe), 16 characters or more (github)",
};

export const secretOf = z
  .object({ scheme, secret: sharedSecret })
  .refine(({ scheme: kind, secret }) => isSecretOf(kind, secret), secretFits);

const sourceName = description.min(1).max(100);

export const newSource = z
  .object({ name: sourceName, scheme, secret: sharedSecret })
  .refine(({ scheme: kind, secret }) => isSecretOf(kind, secret), secretFits);

export const sourcePatch = z.object({
  name: sourceName.nullable().default(null),
  secret: sharedSecret.nullable().default(null),
  overlapHours: z.int("is not a whole number").min(0).max(168).default(24),
});
