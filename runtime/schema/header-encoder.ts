// Payload fields that travel as headers and cookies (contract H-85, H-86).
import { formatHeaderDateTime } from "./datetime";
import { checkDate, decimalText, encodeNumber, encodeValue, readKey } from "./encoder";
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

const unparsable = (problem: string): never => {
  throw new ValueError(`couldn't parse response: InvalidArg, ${problem}`);
};

function option<T>(cookie: Payload, key: string, type: string, fits: (value: unknown) => value is T): T | undefined {
  const value = readKey(cookie, key);
  if (value === undefined || fits(value)) return value;
  return unparsable(`cookie field ${key} must be ${type}`);
}

const isText = (v: unknown): v is string => typeof v === "string";
const isFlag = (v: unknown): v is boolean => typeof v === "boolean";
const isWhole = (v: unknown): v is number => typeof v === "number" && Number.isInteger(v);
const isDate = (v: unknown): v is Date => v instanceof Date;

function cookieOptions(cookie: Payload): CookieOptions {
  const options: CookieOptions = {
    path: option(cookie, "path", "a string", isText), domain: option(cookie, "domain", "a string", isText),
    secure: option(cookie, "secure", "a boolean", isFlag), httpOnly: option(cookie, "httpOnly", "a boolean", isFlag),
    expires: option(cookie, "expires", "a datetime", isDate), maxAge: option(cookie, "maxAge", "an integer", isWhole),
    sameSite: option(cookie, "sameSite", "a string", isText), partitioned: option(cookie, "partitioned", "a boolean", isFlag),
  };
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
  const implied = o.secure === undefined && (o.partitioned === true || o.sameSite === "None");
  const parts = [`${name}=${cookieText(value)}`];
  if (o.httpOnly) parts.push("HttpOnly");
  if (o.sameSite) parts.push(`SameSite=${o.sameSite}`);
  if (o.partitioned) parts.push("Partitioned");
  if (o.secure || implied) parts.push("Secure");
  if (o.path !== undefined) parts.push(`Path=${o.path}`);
  if (o.domain !== undefined) parts.push(`Domain=${o.domain}`);
  if (o.maxAge !== undefined) parts.push(`Max-Age=${Math.max(0, o.maxAge)}`);
  if (o.expires !== undefined) parts.push(`Expires=${o.expires.toUTCString()}`);
  const line = parts.join("; ");
  if (UNSAFE.test(line)) throw new EncodeError("failed to parse header value");
  return toWire(line);
}

/** The text of a cookie's value, in both directions. */
export function cookieText(value: unknown): string {
  return typeof value === "object" && value !== null && !(value instanceof Date) && !isDecimal(value) ? encodeValue(value) : scalarText(value, "cookie");
}

/** Framing is the server's: a declared field of this name would contradict it. */
export const FRAMING: ReadonlySet<string> = new Set(["content-length", "transfer-encoding", "connection", "keep-alive"]);

/** Appends `name, value` pairs of the payload's header fields to `out`. */
export function appendHeaders(fields: readonly ShapeField[], payload: Payload, out: string[]): void {
  for (const field of fields) {
    const value = readKey(payload, field.name);
    const name = wireName(field).toLowerCase();
    if (value === undefined || FRAMING.has(name)) continue;
    for (const line of headerLines(value)) out.push(name, line);
  }
}
