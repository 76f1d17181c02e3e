// Payload fields that travel as headers and cookies (contract H-85, H-86).
import { formatHeaderDateTime } from "./datetime";
import { checkDate, decimalText, encodeNumber, encodeValue, isInteger32, readKey } from "./encoder";
import { EncodeError } from "./errors";
import { ValueError } from "./header-decoder";
import { isDecimal } from "./decimal";
import { wireName, type Payload } from "./request-codec";
import type { ShapeField } from "./shape";

/** Header values as bytes of UTF-8, one character each: what node:http writes. */
export function toWire(text: string): string {
  return /[^\u0000-\u007f]/.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
}

function scalarText(value: unknown, type: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value === "boolean" || typeof value === "bigint" || value === null) return String(value);
  if (value instanceof Date) return formatHeaderDateTime(checkDate(value));
  if (isDecimal(value)) return decimalText(value.value);
  if (typeof value === "object") throw new ValueError(`${type} type unsupported as header value`);
  return encodeValue(value);
}

const UNSAFE = /[\u0000-\u0008\u000a-\u001f\u007f]/;

function headerText(value: unknown): string {
  const text = scalarText(value, "map");
  if (UNSAFE.test(text)) {
    const problem = "unable to convert string to header value";
    throw new ValueError(problem, `${problem}: failed to parse header value`);
  }
  return toWire(text);
}

/** The header lines of a value: one for each element of a list. */
export function headerLines(value: unknown): string[] {
  if (!Array.isArray(value)) return [headerText(value)];
  return value.map((v) => {
    if (Array.isArray(v)) throw new ValueError("nested array type unsupported as header value");
    return headerText(v);
  });
}

const LAST_EXPIRY_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

interface CookieOptions {
  httpOnly?: boolean;
  sameSite?: string;
  partitioned?: boolean;
  secure?: boolean;
  path?: string;
  domain?: string;
  maxAge?: number;
  expires?: Date;
}

/** A result that the runtime cannot even take over from the handler: nothing of it goes out, not even headers. */
export class UnreadableResult extends ValueError {}

const unparsable = (problem: string): never => {
  throw new UnreadableResult(`couldn't parse response: InvalidArg, ${problem}`);
};

function option<T>(cookie: Payload, key: string, type: string, fits: (value: unknown) => value is T): T | undefined {
  const value = readKey(cookie, key);
  if (value === undefined || fits(value)) return value;
  return unparsable(`cookie field ${key} must be ${type}`);
}

const isText = (v: unknown): v is string => typeof v === "string";
const isFlag = (v: unknown): v is boolean => typeof v === "boolean";
const isNumber = (v: unknown): v is number => typeof v === "number";
const isDate = (v: unknown): v is Date => v instanceof Date;

function cookieOptions(cookie: Payload): CookieOptions {
  const options: CookieOptions = {
    path: option(cookie, "path", "a string", isText),
    domain: option(cookie, "domain", "a string", isText),
    secure: option(cookie, "secure", "a boolean", isFlag),
    httpOnly: option(cookie, "httpOnly", "a boolean", isFlag),
    expires: option(cookie, "expires", "a datetime", isDate),
    maxAge: option(cookie, "maxAge", "an integer", isNumber),
    sameSite: option(cookie, "sameSite", "a string", isText),
    partitioned: option(cookie, "partitioned", "a boolean", isFlag),
  };
  // The official text of this problem has its placeholder left in.
  if (options.maxAge !== undefined && !isInteger32(options.maxAge)) unparsable("cookie field {} must be an integer");
  if (options.sameSite !== undefined && !/^(?:Lax|Strict|None)$/.test(options.sameSite)) {
    unparsable("cookie field sameSite must be one of Lax, Strict or None");
  }
  return options;
}

/** One `Set-Cookie` line. Throws EncodeError when name, value or attributes would break out of it. */
export function cookieLine(name: string, cookie: Payload): string {
  const value = readKey(cookie, "value");
  if (value === undefined) return unparsable("cookie requires a value");
  const o = cookieOptions(cookie);
  const isSecure = o.secure === true || o.partitioned === true || (o.secure === undefined && o.sameSite === "None");
  const parts = [`${name}=${cookieText(value)}`];
  if (o.httpOnly) parts.push("HttpOnly");
  if (o.sameSite) parts.push(`SameSite=${o.sameSite}`);
  if (o.partitioned) parts.push("Partitioned");
  if (isSecure) parts.push("Secure");
  if (o.path !== undefined) parts.push(`Path=${o.path}`);
  if (o.domain !== undefined) parts.push(`Domain=${o.domain.replace(/^\./, "")}`);
  if (o.maxAge !== undefined) parts.push(`Max-Age=${Math.max(0, o.maxAge)}`);
  if (o.expires !== undefined) parts.push(`Expires=${expiry(checkDate(o.expires))}`);
  const line = parts.join("; ");
  if (UNSAFE.test(line)) throw new EncodeError("failed to parse header value");
  return toWire(line);
}

/** An invalid Date is 1970 (H-83); nothing lasts beyond what the format can say. */
function expiry(date: Date): string {
  const ms = date.getTime();
  return new Date(Number.isNaN(ms) ? 0 : Math.min(ms, LAST_EXPIRY_MS)).toUTCString();
}

/** The text of a cookie's value, in both directions. Lists and objects have a display form, which is no JSON. */
export function cookieText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(cookieText).join(", ")}]`;
  if (typeof value !== "object" || value === null || value instanceof Date || isDecimal(value))
    return scalarText(value, "cookie");
  encodeValue(value);
  const fields = value as Payload;
  return `{${Object.keys(fields)
    .sort()
    .filter((key) => fields[key] !== undefined)
    .map((key) => `${key}: ${cookieText(fields[key])}`)
    .join(", ")}}`;
}

/** Framing is the server's: a declared field of this name would contradict it. */
export const FRAMING: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
]);

/** Appends `name, value` pairs of the payload's header fields to `out`. */
export function appendHeaders(fields: readonly ShapeField[], payload: Payload, out: string[]): void {
  for (const field of fields) {
    const value = readKey(payload, field.name);
    const name = wireName(field).toLowerCase();
    if (value === undefined || FRAMING.has(name)) continue;
    for (const line of headerLines(value)) out.push(name, line);
  }
}
