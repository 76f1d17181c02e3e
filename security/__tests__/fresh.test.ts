// What is dangerous asks to be shown again who one is (`fresh`: ASVS 5.0 7.5.1 and 7.5.3). Nobody forgets to decide: every
// endpoint that changes something in somebody's name is `fresh`, or stands here with the reason why a stolen token gains
// nothing there that step-up would keep from it. That each `fresh` one refuses: auth/__tests__/step-up-ways.test.ts.
import { expect, test } from "vitest";
import { keyPermissions } from "../permissions";
import { changingRows, endpointRows, type EndpointRow } from "./endpoint-rows";

const DAILY = "the product's daily work, which keys do too";
const AGAIN = "runs again what had been let run before";
const ENDS = "ends access and gives none: it must not be slow when something leaks";
const SHOWS = "this is how one shows it";
const OWN_INBOX = "one's own inbox: nothing is lost, and what is locked stays as it is";
const UNDONE = "takes back what somebody fresh began";

const notFresh: Record<string, string> = {
  "POST /vectors/documents": DAILY,
  "DELETE /vectors/documents/:id": DAILY,
  "PATCH /vectors/documents/:id": DAILY,
  "POST /api/v1/categories": DAILY,
  "PATCH /api/v1/categories": DAILY,
  "POST /api/v1/categories/bulk": DAILY,
  "PATCH /api/v1/categories/:id": DAILY,
  "DELETE /api/v1/categories/:id": DAILY,
  "POST /api/v1/categories/:id/restore": DAILY,
  "POST /api/v1/accounts": DAILY,
  "POST /api/v1/accounts/bulk": DAILY,
  "PATCH /api/v1/accounts": DAILY,
  "PATCH /api/v1/accounts/:id": DAILY,
  "DELETE /api/v1/accounts/:id": DAILY,
  "POST /api/v1/accounts/:id/restore": DAILY,
  "POST /api/v1/budgets": DAILY,
  "PATCH /api/v1/budgets/:id": DAILY,
  "DELETE /api/v1/budgets/:id": DAILY,
  "POST /api/v1/budgets/:id/restore": DAILY,
  "POST /api/v1/transactions": DAILY,
  "POST /api/v1/transactions/bulk": DAILY,
  "POST /api/v1/transactions/:id/reverse": DAILY,
  "POST /api/v1/orders": DAILY,
  "PATCH /api/v1/orders/:id": DAILY,
  "DELETE /api/v1/orders/:id": DAILY,
  "POST /api/v1/orders/:id/cancel": DAILY,
  "POST /api/v1/orders/:id/restore": DAILY,
  "POST /api/v1/products": DAILY,
  "PATCH /api/v1/products": DAILY,
  "POST /api/v1/products/bulk": DAILY,
  "PATCH /api/v1/products/:id": DAILY,
  "DELETE /api/v1/products/:id": DAILY,
  "POST /api/v1/products/:id/restore": DAILY,
  "POST /api/v1/products/:id/stock": DAILY,
  "POST /assets": DAILY,
  "DELETE /assets/:id": DAILY,
  "POST /vectors/documents/batch": DAILY,
  "POST /tasks/:id/cancel": DAILY,
  "POST /sagas/:id/cancel": DAILY,
  "POST /sagas/:id/retry": AGAIN,
  "POST /sagas/:id/skip": "leaves one compensation of one saga undone, and the saga keeps who did so and why",
  "POST /events/dead-letters/redrive": AGAIN,
  "POST /queues/dead-letters/redrive": AGAIN,
  "POST /webhooks/endpoints/:id/replay": AGAIN,
  "POST /webhooks/endpoints/:id/test": "sends nothing of the organisation's, to where somebody fresh said",
  "DELETE /auth/api-keys/:id": ENDS,
  "DELETE /auth/sessions": ENDS,
  "DELETE /auth/sessions/:id": ENDS,
  "POST /auth/logout": ENDS,
  "POST /operator/logout": ENDS,
  "POST /ai/rag/query": "reads, and its question needs a body",
  "POST /ai/generate": DAILY,
  "POST /ai/analyze": DAILY,
  "POST /ai/v1/chat/completions": DAILY,
  "POST /ai/v1/embeddings": DAILY,
  "POST /mcp": DAILY,
  "POST /sandbox/run": DAILY,
  "POST /notifications/send": DAILY,
  "POST /notifications/:id/read": OWN_INBOX,
  "POST /notifications/:id/archive": OWN_INBOX,
  "PUT /notifications/preferences": OWN_INBOX,
  "PUT /notifications/templates/:name/:language": DAILY,
  "DELETE /notifications/templates/:name/:language": DAILY,
  "PUT /notifications/topics/:topic/subscribers": DAILY,
  "POST /notifications/topics/:topic/leave": OWN_INBOX,
  "POST /notifications/push-subscriptions": "wakes the thief's browser beside one's own, which lists it and ends it",
  "DELETE /notifications/push-subscriptions/:id": OWN_INBOX,
  "PUT /notifications/policy": "is set back as easily, and stands in the log",
  "DELETE /auth/invitations/:id": UNDONE,
  "POST /auth/organisations/:id/restore": UNDONE,
  "PATCH /auth/organisations/:id": "a name, and the one before is in the log",
  "PATCH /auth/passkeys/:id": "a name that its owner alone sees",
  "POST /auth/domains/:id/verify": "the domain's record shows it, and adding the domain was fresh",
  "POST /auth/identities": "goes on from POST /auth/identities/begin, which is fresh, in the same session",
  "POST /auth/invitations/accept": "the mailed token shows it",
  "POST /auth/organisations": "makes one more, and takes nothing away",
  "POST /auth/organisations/:id/leave": "an admin invites again, and the last owner cannot",
  "POST /auth/password/change": "asks for the present password",
  "POST /auth/switch": "chooses among what the session may be in",
  "POST /auth/verify-email/send": "a mail to the account's own address",
  "POST /auth/step-up": SHOWS,
  "POST /operator/step-up": SHOWS,
  "POST /auth/step-up/mail": SHOWS,
  "POST /auth/step-up/oidc": SHOWS,
  "POST /auth/step-up/options": SHOWS,
  // It reads, and it is all at once:
  "GET /auth/audit/export": "collectors fetch it with a key; people read the same at GET /auth/audit, page by page",
};

test("every change in somebody's name is fresh, or there is a reason why not", () => {
  expect(changingRows.length).toBeGreaterThan(50);
  const isFresh = ({ tags }: EndpointRow): boolean => tags.includes("fresh");
  const undecided = changingRows.filter((row) => !isFresh(row) && notFresh[row.request] === undefined);
  expect(undecided.map(({ request }) => request)).toEqual([]);
  const named = endpointRows.filter(({ tags }) => !tags.some((tag) => tag.startsWith("public:")));
  const open = new Set(named.filter((row) => !isFresh(row)).map(({ request }) => request));
  expect(Object.keys(notFresh).filter((request) => !open.has(request))).toEqual([]);
});

test("what a key may hold opens something to keys", () => {
  const opened = new Set(endpointRows.filter(({ tags }) => !tags.includes("fresh")).flatMap(({ tags }) => tags));
  expect(keyPermissions.filter((permission) => !opened.has(`can:${permission}`))).toEqual([]);
});
