// The link under a mail. A mail program's own button sends a POST, without a session and without asking (RFC 8058 §3.1); programs
// that look into links before their reader does send a GET, which ends nothing: it asks, with a form.
import { api } from "encore.dev/api";
import type { IncomingMessage, ServerResponse } from "node:http";
import { escapeHtml } from "../../../security/escape-html";
import { plainPageHeaders } from "../../../security/headers";
import { errors } from "../errors";
import { endMails } from "../preferences";
import { readUnsubscribeToken, type Unsubscription } from "../unsubscribe-token";

/** @throws APIError unsubscribe_link_invalid */
function tokenOf({ url }: IncomingMessage): Unsubscription {
  const token = new URL(url ?? "/", "http://here").searchParams.get("token") ?? "";
  const read = readUnsubscribeToken(token);
  if (read === undefined) throw errors.unsubscribe_link_invalid();
  return read;
}

function answer(resp: ServerResponse, text: string, form = ""): void {
  for (const [name, value] of Object.entries(plainPageHeaders)) resp.setHeader(name, value);
  // The form leads back here.
  resp.setHeader(
    "content-security-policy",
    plainPageHeaders["content-security-policy"].replace("form-action 'none'", "form-action 'self'"),
  );
  resp.setHeader("content-type", "text/html; charset=utf-8");
  resp.end(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notifications</title></head><body><p>${text}</p>${form}</body></html>`,
  );
}

/** Asks whether mails of the link's category shall end. */
export const askUnsubscribe = api.raw(
  {
    expose: true,
    method: "GET",
    path: "/notifications/unsubscribe",
    tags: ["public:the mailed token is the credential"],
  },
  async (req, resp) => {
    const { category } = tokenOf(req);
    answer(
      resp,
      `Mails about ${escapeHtml(category)} come to this address.`,
      `<form method="post"><button name="List-Unsubscribe" value="One-Click">No more of them</button></form>`,
    );
  },
);

/** Ends mails of the link's category to who got it. */
export const unsubscribe = api.raw(
  {
    expose: true,
    method: "POST",
    path: "/notifications/unsubscribe",
    tags: ["public:the mailed token is the credential"],
    bodyLimit: 10_000,
  },
  async (req, resp) => {
    const { tenantId, userId, category } = tokenOf(req);
    await endMails({ tenantId }, userId, category);
    answer(resp, `No more mails about ${escapeHtml(category)}.`);
  },
);
