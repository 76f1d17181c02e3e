// An answer as it is kept: JSON beside the places of what JSON has no word for, sealed. The first caller is given what was
// kept too, so that both answers are encoded from the same values and cannot differ.
// An answer may hold a secret that is shown once (an API key). It is sealed under a key made from the master key, the
// caller and the Idempotency-Key itself, of which the table has a hash only: neither the table nor, without the key that
// the client chose, the app can open it. Each such key seals a few answers at most (SP 800-38D §8.3).
import { createHash } from "node:crypto";
import { APIError, HandlerResponse, type ErrCode } from "encore.dev/api";
import { deriveKey, keyIdOf, masterKeyOfTests, masterKeysIn } from "../security/derived-key";
import { EnvelopeError, open, seal, type Keyset, type SealingKey } from "../security/envelope";
import type { KeyName } from "./store";

const PURPOSE = "idempotent answer";
/** As text: what is over it is not kept (README, "Invariants"). */
export const ANSWER_MAX_BYTES = 64 << 10;

export interface Answer {
  payload?: unknown;
  headers?: Record<string, string | string[]>;
  status?: number;
  /** Instead of them. */
  error?: { code: string; message: string; details?: Record<string, unknown> };
}

let masterKey = masterKeyOfTests;

/** Where the secret MasterKey is read. */
export function useMasterKey(read: () => string): void {
  masterKey = read;
}

/** Thrown for a payload that cannot be kept: a fault of the endpoint. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
}

type Place = (string | number)[];
interface Kept {
  answer: Answer;
  dates: Place[];
  bigints: Place[];
}
interface Written extends Kept {
  /** At least what it will take as text. */
  chars: number;
}

class TooLarge extends Error {}

/** Undefined when it is too large. @throws AnswerError */
export function writeAnswer(answer: Answer): string | undefined {
  const written: Written = { answer, dates: [], bigints: [], chars: 0 };
  try {
    const payload = plain(answer.payload, [], written);
    const { dates, bigints } = written;
    const text = JSON.stringify({ answer: { ...answer, payload }, dates, bigints } satisfies Kept);
    return Buffer.byteLength(text) > ANSWER_MAX_BYTES ? undefined : text;
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
}

export function readAnswer(text: string): Answer {
  const { answer, dates, bigints } = JSON.parse(text) as Kept;
  const holder: { payload?: unknown } = answer;
  for (const place of dates) replace(holder, place, (value) => new Date(value as number));
  for (const place of bigints) replace(holder, place, (value) => BigInt(value as string));
  return answer;
}

/** A copy of plain objects, lists, texts and numbers; notes where another kind of value stood. */
function plain(value: unknown, place: Place, written: Written): unknown {
  written.chars += typeof value === "string" ? value.length + 2 : 1;
  if (written.chars > ANSWER_MAX_BYTES) throw new TooLarge();
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new AnswerError(`${placeText(place)} is ${value}`);
      return value;
    case "bigint":
      written.bigints.push(place);
      return value.toString();
    case "object":
      return value === null ? null : plainObject(value, place, written);
    default:
      throw new AnswerError(`${placeText(place)} is a ${typeof value}`);
  }
}

function plainObject(value: object, place: Place, written: Written): unknown {
  if (value instanceof Date) {
    written.dates.push(place);
    return value.getTime();
  }
  if (Array.isArray(value))
    return value.map((item, at) => {
      if (item === undefined) throw new AnswerError(`${placeText([...place, at])} is undefined in a list`);
      return plain(item, [...place, at], written);
    });
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new AnswerError(`${placeText(place)} is of a class: only plain objects, lists, Date and bigint are kept`);
  // Not by assignment, which for a name like __proto__ would set something else.
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, plain(item, [...place, name], written)]),
  );
}

const placeText = (place: Place): string => (place.length === 0 ? "the answer" : `answer.${place.join(".")}`);

function replace(holder: { payload?: unknown }, place: Place, make: (value: unknown) => unknown): void {
  let parent: Record<string | number, unknown> = holder;
  let name: string | number = "payload";
  for (const step of place) {
    parent = parent[name] as Record<string | number, unknown>;
    name = step;
  }
  Object.defineProperty(parent, name, {
    value: make(parent[name]),
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** @param key as the client sent it */
export function sealAnswer(text: string, name: KeyName, key: string): Buffer {
  return seal(keysetFor(name, key), Buffer.from(text), contextOf(name));
}

/** Undefined when it does not open: its master key is gone. */
export function openAnswer(sealed: Buffer, name: KeyName, key: string): string | undefined {
  try {
    return open(keysetFor(name, key), sealed, contextOf(name)).toString();
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

const contextOf = ({ tenantId, principal, keyHash }: KeyName): string =>
  `idempotency.request:${tenantId ?? ""}:${principal}:${keyHash.toString("hex")}`;

function keysetFor(name: KeyName, key: string): Keyset {
  const of = createHash("sha256")
    .update(`${contextOf(name)}:${key}`)
    .digest("hex");
  const [present, ...before] = masterKeysIn(masterKey?.() ?? "");
  const keyFrom = (secret: string): SealingKey => ({ id: keyIdOf(secret), key: deriveKey(secret, `${PURPOSE}:${of}`) });
  return [keyFrom(present), ...before.map(keyFrom)];
}

/** @throws the error that was kept */
export function responseOf({ payload, headers, status, error }: Answer): HandlerResponse {
  if (error !== undefined) throw new APIError(error.code as ErrCode, error.message, undefined, error.details);
  const response = new HandlerResponse(payload);
  for (const [name, value] of Object.entries(headers ?? {})) response.header.set(name, value);
  if (status !== undefined) response.status = status;
  return response;
}
