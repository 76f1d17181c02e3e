// What the link under a mail carries: whose mails of which category it ends (RFC 8058). Sealed, so that nobody makes one, and who
// sees it reads no ids. It is good for as long as its master key is there: a mail may be old, and it can only make things quieter.
import { secret } from "encore.dev/config";
import { z } from "zod";
import { masterKeyset, open, seal, type Keyset } from "../../security/envelope";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { categoryName } from "./settings";

const masterKey = secret("MasterKey");
const keyset = (): Keyset => masterKeyset(masterKey(), "notification unsubscribe links");
const CONTEXT = "unsubscribe";
const TOKEN_CHARS_MAX = 500;

export interface Unsubscription {
  tenantId: TenantId;
  userId: string;
  category: string;
}

const content = z.tuple([z.uuid(), z.uuid(), categoryName]);

export const createUnsubscribeToken = ({ tenantId, userId, category }: Unsubscription): string =>
  seal(keyset(), Buffer.from(JSON.stringify([tenantId, userId, category])), CONTEXT).toString("base64url");

/** Undefined for what we did not make. */
export function readUnsubscribeToken(token: string): Unsubscription | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  try {
    const text = open(keyset(), Buffer.from(token, "base64url"), CONTEXT).toString("utf8");
    const [tenantId, userId, category] = content.parse(JSON.parse(text));
    return { tenantId: tenantIdFrom(tenantId), userId, category };
  } catch {
    return undefined;
  }
}
