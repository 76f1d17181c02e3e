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

const BYTE_MAX = 0xff;

/** Headers carry one byte a character: what has no room there is replaced. */
const asHeader = (text: string): string =>
  [...text].map((char) => ((char.codePointAt(0) ?? 0) > BYTE_MAX ? "?" : char)).join("");

let onSignedOut = (): void => undefined;

/** Tells `listener` when the session turns out to be over. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

interface AskOptions {
  body?: object;
  /** For whom and what for: what organisations and the installation's log read. */
  reason?: string;
}

async function ask<T>(method: string, path: string, { body, reason }: AskOptions = {}): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: {
      "x-account-id": "operator",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(reason === undefined ? {} : { "x-operator-reason": asHeader(reason) }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Refusal(0, "unreachable", "The app does not answer.");
  });
  const text = await response.text();
  if (response.ok) return (text === "" ? {} : JSON.parse(text)) as T;
  const refusal = refusalFrom(response.status, text);
  if (refusal.reason === "unauthenticated" || refusal.reason === "invalid_token") onSignedOut();
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

/** What to show a person of anything that was thrown. */
export function textOf(error: unknown): string {
  if (!(error instanceof Refusal)) return error instanceof Error ? error.message : String(error);
  const fields = Object.entries(error.fields).map(([name, problem]) => `${name} ${problem}`);
  return [error.message, ...fields].join("; ");
}
