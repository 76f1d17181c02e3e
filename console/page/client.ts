// Asks the app's endpoints in the operator's name. The session is in a cookie that no script reads; `x-account-id` says
// that it is meant, and not the account of a customer that the browser may hold as well.

/** What an endpoint refused, by its stable reason. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

interface ErrorBody {
  message?: string;
  details?: { reason?: string; fields?: Record<string, string> } | null;
}

/** Headers carry ASCII: what is more goes as RFC 8187 writes it. */
const asHeader = (text: string): string =>
  [...text].every((char) => char >= " " && char <= "~") ? text : `UTF-8''${encodeURIComponent(text)}`;

let onSignedOut = (): void => undefined;

/** Tells `listener` when the session turns out to be over. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

let operatorId: string | undefined;

/** Whom the page shows from now on: where another tab signs in somebody else, this one does nothing in their name. */
export function actAs(id: string | undefined): void {
  operatorId = id;
}

interface AskOptions {
  body?: object;
  /** For whom and what for: what organisations and the installation's log read. */
  reason?: string;
}

/** Longer than any answer takes that is still of use to somebody who looks. */
const ANSWER_MS_MAX = 8_000;

let isBackground = false;

/** What `load` asks for before it first waits is no use of the session: a page that is left open keeps nobody signed in. */
export function inBackground<T>(load: () => Promise<T>): Promise<T> {
  isBackground = true;
  try {
    return load();
  } finally {
    isBackground = false;
  }
}

/** Status and text. @throws Refusal when there is no answer, or none in time. */
async function exchange(path: string, options: RequestInit): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return { status: response.status, text: await response.text() };
  } catch {
    throw new Refusal(0, "unreachable", "The app does not answer.");
  }
}

/** Odd while who it is is being shown again. The app ends the session before with that, so that what was asked under it says nothing. */
let proofs = 0;

async function ask<T>(method: string, path: string, { body, reason }: AskOptions = {}): Promise<T> {
  const proofsBefore = proofs;
  const { status, text } = await exchange(path, {
    method,
    headers: {
      "x-account-id": operatorId === undefined ? "operator" : `operator:${operatorId}`,
      ...(isBackground ? { "x-background": "1" } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(reason === undefined ? {} : { "x-operator-reason": asHeader(reason) }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (status >= 200 && status < 300) return (text === "" ? {} : JSON.parse(text)) as T;
  const refusal = refusalFrom(status, text);
  const isOver = refusal.reason === "unauthenticated" || refusal.reason === "invalid_token";
  if (isOver && proofs === proofsBefore && proofs % 2 === 0) onSignedOut();
  throw refusal;
}

function refusalFrom(status: number, text: string): Refusal {
  try {
    const { message, details } = JSON.parse(text) as ErrorBody;
    return new Refusal(status, details?.reason ?? "unknown", message ?? `status ${status}`, details?.fields ?? {});
  } catch {
    return new Refusal(status, "unknown", `The app answered with status ${status}.`);
  }
}

/** Which parts of the app work, as everybody may ask, with no session and no database. @throws Refusal, SyntaxError. */
export async function readProbes(): Promise<Readonly<Record<string, string>>> {
  const { text } = await exchange("/readyz", {});
  return (JSON.parse(text) as { checks: Record<string, string> }).checks;
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** A path with the parameters that have a value. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? path : `${path}?${text}`;
}

export const read = <T>(path: string, reason?: string): Promise<T> =>
  ask("GET", path, reason === undefined ? {} : { reason });
export const change = <T>(path: string, body: object, reason?: string): Promise<T> =>
  ask("POST", path, { body, ...(reason === undefined ? {} : { reason }) });

/** Shows once more who it is, as changes ask for. @throws Refusal. */
export async function proveAgain(proof: { password: string | undefined; code: string | undefined }): Promise<void> {
  proofs++;
  try {
    await change("/operator/step-up", proof);
  } finally {
    proofs++;
  }
}

/** What to show a person of anything that was thrown. */
export function textOf(error: unknown): string {
  if (!(error instanceof Refusal)) return error instanceof Error ? error.message : String(error);
  const fields = Object.entries(error.fields).map(([name, problem]) => `${name} ${problem}`);
  return [error.message, ...fields].join("; ");
}
