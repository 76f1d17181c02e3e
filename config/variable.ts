// How the texts of environment variables are read: one reader for each kind, with the words for what is wrong.
import { z } from "zod";
import { parseNetwork } from "./network";

/** A variable: `schema` reads its text, `remedy` completes "set NAME to …". */
export interface Variable<T> {
  schema: z.ZodType<T, string>;
  remedy: string;
}

export function variable<T>(schema: z.ZodType<T, string>, remedy: string): Variable<T> {
  return { schema, remedy };
}

export function integer(min: number, max: number): Variable<number> {
  const schema = z
    .string()
    .regex(/^-?\d+$/, "is not a whole number")
    .transform(Number)
    .pipe(z.number().min(min, `is below ${min}`).max(max, `is above ${max}`));
  return variable(schema, `a whole number from ${min} to ${max}`);
}

export function decimal(min: number, max: number): Variable<number> {
  const schema = z
    .string()
    .regex(/^\d+(\.\d+)?$/, "is not a number")
    .transform(Number)
    .pipe(z.number().min(min, `is below ${min}`).max(max, `is above ${max}`));
  return variable(schema, `a number from ${min} to ${max}`);
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T): Variable<T[number]> {
  return variable(z.enum(values, { error: "is not an allowed value" }), `one of ${values.join(", ")}`);
}

export function url(protocols: readonly string[]): Variable<string> {
  const isAllowed = (text: string): boolean =>
    URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1));
  return variable(
    z.string().refine(isAllowed, "is not such a URL"),
    `a URL starting with ${protocols.map((p) => `${p}://`).join(" or ")}`,
  );
}

export const text = (remedy: string, pattern: RegExp): Variable<string> =>
  variable(z.string().regex(pattern, "has characters that are not allowed"), remedy);

export const boolean = variable(
  z.enum(["true", "false", "1", "0"], { error: "is not a boolean" }).transform((v) => v === "true" || v === "1"),
  "true or false",
);

/** `a=b,c=d` → record; percent-encoding as in OTEL_EXPORTER_OTLP_HEADERS. */
export function pairs(remedy: string): Variable<Record<string, string>> {
  const schema = z
    .string()
    .transform((list) =>
      list
        .split(",")
        .map((pair) => pair.trim())
        .filter((pair) => pair !== ""),
    )
    .refine((list) => list.every((pair) => /^[^=\s]+=[^=]*/.test(pair)), "is not a list of name=value")
    .transform((list) => Object.fromEntries(list.map((pair) => splitPair(pair))));
  return variable(schema, remedy);
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at).trim(), decodeLeniently(pair.slice(at + 1).trim())];
}

/** Percent-decodes; a text that is no valid encoding is taken as it stands. */
function decodeLeniently(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** Addresses and networks, each in its one spelling. */
export const networks = variable(
  z.string().transform((list, context) => {
    const items = list.split(",").filter((item) => item.trim() !== "");
    const found = items.map((item) => parseNetwork(item)).filter((network) => network !== undefined);
    if (found.length < items.length)
      context.addIssue("has an entry that is no address or network, or one with bits behind its prefix");
    return found;
  }),
  "a comma-separated list of IP addresses or networks such as 10.0.0.0/8",
);

/** `address` or `name <address>`. */
export function isSender(text: string): boolean {
  const [, inside] = /^[^<>]*<([^<>]*)>$/.exec(text) ?? [];
  return z.email().safeParse(inside ?? text).success;
}
