// The OpenID providers of the installation (OIDC_PROVIDERS): JSON, because each has several parts. Their clients' secrets
// are no configuration: they stand in the secret OidcClientSecrets.
import { z } from "zod";
import { parseJson } from "./json-variable";

export interface OidcProvider {
  /** Names it in the API, in redirect addresses and in what is stored: it stays. */
  id: string;
  /** For people; the id when there is none. */
  name: string;
  /** As the provider's metadata say it, to the letter. */
  issuer: string;
  clientId: string;
}

const PROVIDERS_MAX = 20;

const isLoopback = ({ hostname }: URL): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(hostname);

function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const isSecret = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
  return isSecret && url.search === "" && url.hash === "" && url.username === "";
}

const provider = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "has an id that is not of letters, digits and dashes"),
    name: z.string().min(1, "has an empty name").max(100, "has a long name").optional(),
    issuer: z.string().max(500, "has a long issuer").refine(isIssuer, "has an issuer that is no https address"),
    clientId: z.string().min(1, "has an empty clientId").max(500, "has a long clientId"),
  })
  .transform((read): OidcProvider => ({ ...read, name: read.name ?? read.id }));

export const oidcProviders = parseJson(20_000).pipe(
  z
    .array(provider, "is no list of providers")
    .max(PROVIDERS_MAX, `has more than ${PROVIDERS_MAX} providers`)
    .refine((list) => new Set(list.map(({ id }) => id)).size === list.length, "has an id twice"),
);

export const OIDC_REMEDY =
  'a JSON list such as [{"id":"acme","issuer":"https://id.example.com","clientId":"groundwork"}]';

/** http is for this machine's own tests. */
export const hasInsecureIssuer = (list: readonly OidcProvider[]): boolean =>
  list.some(({ issuer }) => issuer.startsWith("http:"));
