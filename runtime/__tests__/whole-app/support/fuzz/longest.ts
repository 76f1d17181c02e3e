// The longest inputs of each kind: what makes a reader look back, copy, escape, nest or compute more than its length.
import type { Operation } from "./openapi";
import type { FuzzRequest } from "./requests";

/** Of a text field; below the limit of a body, above that of every field. */
const TEXT_CHARS = 600_000;
const BODY_BYTES = 1_000_000;
/** Line and headers together have 16 KB. */
const HEAD_BYTES = 14_000;

/** A request with a name that says what is long in it. */
export interface LongRequest extends FuzzRequest {
  name: string;
}

const fill = (unit: string, size: number): string => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);
const keys = (key: (index: number) => string): string =>
  `{${Array.from({ length: 60_000 }, (_, index) => `"${key(index)}":${index}`).join(",")}}`;

const BODIES: Record<string, string | Buffer> = {
  digits: `{"a":${fill("9", BODY_BYTES)}}`,
  "digits of a fraction": `{"a":0.${fill("9", BODY_BYTES)}}`,
  exponent: `{"a":1e${fill("9", BODY_BYTES)}}`,
  "lists in lists": fill("[", BODY_BYTES),
  "ignored lists in lists": `{"-":${fill("[", BODY_BYTES)}`,
  "objects in objects": fill('{"a":', BODY_BYTES),
  prototypes: fill('{"__proto__":', BODY_BYTES),
  keys: keys((index) => `k${index}`),
  "one key": keys(() => "k"),
  numbers: `{"a":[${fill("1,", BODY_BYTES)}1]}`,
  escapes: `{"a":"${fill("\\u0000", BODY_BYTES)}"}`,
  quotes: `"${fill('\\"', BODY_BYTES)}"`,
  blanks: fill(" ", BODY_BYTES),
  lines: `{"a":${fill("\n", BODY_BYTES)}`,
  "a key": `{"${fill("a", BODY_BYTES)}":[}`,
  "no UTF-8": Buffer.alloc(BODY_BYTES, 0xff),
  parts: fill('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n', BODY_BYTES),
};

const UNITS: Record<string, string> = {
  letters: "a",
  "lines only": "\n",
  blanks: " ",
  controls: "\u0001",
  "zero widths": "\u200b",
  pictures: "😀",
  addresses: "a@",
  labels: "a.",
  angles: " <",
  quotes: '"',
  backslashes: "\\",
  "markdown quotes": "> ",
  "markdown links": "[a](",
  "markdown emphasis": "**a ",
  "markdown lists": "- ",
  "markdown fences": "```\n",
  "markdown headings": "# a\n",
  "markdown table": "a|b\n-|-\n",
  "markdown references": "[a]: b\n",
};

const HEADERS: Record<string, Record<string, string>> = {
  cookies: { cookie: fill("a=b; ", HEAD_BYTES) },
  forwarded: { "x-forwarded-for": fill("1.1.1.1, ", HEAD_BYTES) },
  "a token of blanks": { authorization: `Bearer ${fill(" ", HEAD_BYTES)}x` },
  "a token of dots": { authorization: `Bearer ${fill("a.", HEAD_BYTES)}` },
  origin: { origin: `http://${fill("a.", HEAD_BYTES)}` },
  "headers asked for": { origin: "http://a", "access-control-request-headers": fill("a,", HEAD_BYTES) },
};

const JSON_TYPE = { "content-type": "application/json" };
const filled = (path: string, text: string): string => path.replace(/\{[^{}]+\}/g, text);

/** Every long body of an operation that has one. */
export function longBodies({ method, path, body }: Operation): LongRequest[] {
  if (body === undefined) return [];
  return Object.entries(BODIES).map(([name, text]) => ({
    name: `${method} ${path}: a body of ${name}`,
    ...{ method, path: filled(path, "x"), headers: JSON_TYPE, body: text },
  }));
}

/** `sample` with each of its text fields, wherever it stands, replaced by each long text. */
export function longFields({ method, path }: Operation, sample: unknown): LongRequest[] {
  return textsOf(sample).flatMap((place) =>
    Object.entries(UNITS).flatMap(([name, unit]) =>
      // Once too long for the field, once as long as a document may be.
      [TEXT_CHARS, 450_000].map((size) => ({
        name: `${method} ${path}: ${size} characters of ${name} in ${place.join(".")}`,
        ...{ method, path: filled(path, "x"), headers: JSON_TYPE },
        // Together they are gigabytes, of which few are sent.
        get body() {
          return JSON.stringify(replaced(sample, place, fill(unit, size)));
        },
      })),
    ),
  );
}

/** Long paths, queries and headers of an operation. */
export function longHeads({ method, path, parameters }: Operation): LongRequest[] {
  const texts = [fill("a", HEAD_BYTES), fill("9", HEAD_BYTES), fill("%00", HEAD_BYTES), fill("%25", HEAD_BYTES)];
  const queries = parameters.filter((p) => p.in === "query").flatMap((p) => texts.map((text) => `${p.name}=${text}`));
  queries.push(fill("q=1&", HEAD_BYTES), fill("limit=1&", HEAD_BYTES));
  const targets = queries.map((query) => `${filled(path, "x")}?${query}`);
  if (path.includes("{")) targets.push(...texts.map((text) => filled(path, text)));
  const heads = targets.map((target) => ({
    name: `${method} ${target.slice(0, 80)}…`,
    ...{ method, path: target, headers: {} },
  }));
  const named = Object.entries(HEADERS).map(([name, headers]) => ({
    name: `${method} ${path}: ${name}`,
    ...{ method, path: filled(path, "x"), headers },
  }));
  return [...heads, ...named];
}

type Place = (string | number)[];

function textsOf(value: unknown, place: Place = []): Place[] {
  if (typeof value === "string") return [place];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => textsOf(inner, [...place, key]));
}

function replaced(value: unknown, [key, ...rest]: Place, text: string): unknown {
  if (key === undefined) return text;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, text);
  return copy;
}
