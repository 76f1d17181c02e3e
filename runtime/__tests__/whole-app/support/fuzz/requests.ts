// Turns operations into requests that a careless or malicious client would send. Pure: all choices come from
// the random source, all credentials and ids are given.
import { hostileBody, hostileString, mutate, oversizedBody } from "./hostile";
import type { Operation, Sampler } from "./openapi";
import type { Random } from "./random";

export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Buffer;
}

export interface DrawnRequest extends FuzzRequest {
  /** What it was made of: `METHOD path`, as the description has it. */
  operation: string;
}

export interface FuzzWorld {
  operations: readonly Operation[];
  sample: Sampler;
  /** Access tokens and keys that are valid now. */
  tokens: () => readonly string[];
  /** Of the platform's staff, for what is theirs alone. */
  operator: string;
  /** Of a browser that is signed in. */
  cookie: () => string;
  /** Ids that exist, most of them in somebody else's organisation. */
  ids: readonly string[];
}

const encode = (text: string): string => {
  try {
    return encodeURIComponent(text);
  } catch {
    return "%ED%A0%80"; // a lone surrogate has no UTF-8
  }
};

function pathOf(operation: Operation, world: FuzzWorld, random: Random): string {
  return operation.path.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    if (name === "kind" && random.chance(0.8)) return random.pick(["events", "jobs"]);
    if (random.chance(0.4)) return random.pick(world.ids);
    if (random.chance(0.1)) return random.pick(["%", "%zz", "%00", "%ff%fe", "a%2Fb", "."]);
    return encode(hostileString(random).slice(0, 300)) || "-";
  });
}

function queryOf(operation: Operation, world: FuzzWorld, random: Random): string {
  const pairs: string[] = [];
  for (const { name, schema } of operation.parameters.filter((parameter) => parameter.in === "query")) {
    if (random.chance(0.15)) continue;
    const times = random.chance(0.1) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const good = random.chance(0.5);
      pairs.push(
        `${encode(name)}=${encode(good ? String(world.sample(schema)) : hostileString(random).slice(0, 2_000))}`,
      );
    }
  }
  if (random.chance(0.1)) pairs.push(random.pick(["=", "&&&", "a[]=1", "q=%", "q=%zz", "__proto__=1", "k=1;k=2"]));
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function brokenToken(token: string, random: Random): string {
  const [head = "", payload = "", signature = ""] = token.split(".");
  return random.pick([
    "",
    "x",
    "..",
    `${head}.${payload}.`,
    `${head}.${payload}.${signature.slice(2)}AA`,
    `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`,
    `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url")}.${payload}.${signature}`,
    `${head}.${Buffer.from('{"sub":"00000000-0000-0000-0000-000000000000","exp":9999999999}').toString("base64url")}.${signature}`,
    `${head}.${Buffer.from("not json").toString("base64url")}.${signature}`,
    "A".repeat(6_000),
  ]);
}

const OPERATORS = /^\/(?:operator|console\/api)\//;
/** Nobody signs in again before the next code of their app. */
const NOT_OPERATORS = "/operator/logout";

function tokenFor({ path }: Operation, world: FuzzWorld, random: Random): string {
  const isOperators = OPERATORS.test(path) && path !== NOT_OPERATORS;
  return isOperators && random.chance(0.8) ? world.operator : random.pick(world.tokens());
}

/** Why an operator looks: without it nobody gets any further. */
function reasonFor({ parameters }: Operation, random: Random): Record<string, string> {
  const asked = parameters.find(
    ({ in: where, name }) => where === "header" && name.toLowerCase() === "x-operator-reason",
  );
  if (asked === undefined) return {};
  const hostile = hostileString(random).replace(/[^\x20-\x7e]/g, "?");
  return { [asked.name]: random.chance(0.8) ? "ticket 4711: cannot sign in" : hostile.slice(0, 2_000) };
}

function authorization(operation: Operation, world: FuzzWorld, random: Random): Record<string, string> {
  if (random.chance(0.1))
    return { cookie: world.cookie(), "sec-fetch-site": random.pick(["same-origin", "cross-site"]) };
  const token = tokenFor(operation, world, random);
  if (random.chance(0.6)) return { authorization: `Bearer ${token}` };
  if (random.chance(0.3)) return {};
  return {
    authorization: random.pick([
      "Bearer",
      "bearer ",
      "Basic YTpi",
      `Bearer  ${token}`,
      `Token ${token}`,
      `Bearer ${brokenToken(token, random)}`,
    ]),
  };
}

const ODD_HEADERS: readonly Record<string, string>[] = [
  { "x-request-id": "a".repeat(3_000) },
  { "x-request-id": "'; drop table events.outbox; --" },
  { traceparent: "00-zzzz-1-01" },
  { traceparent: "00-00000000000000000000000000000000-0000000000000000-00", tracestate: "=,=," },
  { cookie: "a=1; a=2; =; ;;; __proto__=x" },
  { accept: "image/x-nothing", "accept-encoding": "br;q=nan, zstd", "accept-language": "*-*-*" },
  { origin: "null" },
  { origin: "https://evil.example", "access-control-request-method": "POST" },
  { "x-forwarded-for": "999.999.999.999, ::::, unknown", "x-forwarded-proto": "gopher" },
  { "idempotency-key": "\u00e9".repeat(50) },
  { "content-encoding": "gzip" },
  { range: "bytes=5-1,9999999999999999-" },
  { "if-none-match": "*", "if-modified-since": "yesterday" },
  { host: "evil.example" },
  { "x-encore-meta-caller": "api:auth.login", "x-encore-meta-userid": "root" },
];

const CONTENT_TYPES = [
  "application/json; charset=utf-16",
  "text/plain",
  "multipart/form-data",
  "application/x-www-form-urlencoded",
  "application/xml",
  "*/*",
  ";",
];

function bodyOf(operation: Operation, world: FuzzWorld, random: Random): string | Buffer {
  const kind = random.next();
  if (kind < 0.01) return oversizedBody();
  if (kind < 0.2 || operation.body === undefined) return hostileBody(random);
  if (kind < 0.22) return Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]);
  const good = world.sample(operation.body);
  const rounds = random.integer(0, 3) === 0 ? 0 : random.integer(1, 3);
  let value = good;
  for (let i = 0; i < rounds; i++) value = mutate(value, random);
  return JSON.stringify(value) ?? "";
}

/** The next request, of the operation or of any; every call makes another one. */
export function nextRequest(
  world: FuzzWorld,
  random: Random,
  operation: Operation = random.pick(world.operations),
): DrawnRequest {
  const method = random.chance(0.03)
    ? random.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
    : operation.method;
  const suffix = random.chance(0.02) ? random.pick(["/", "/extra", "//", "/%2e%2e/"]) : "";
  const carriesBody =
    operation.method === method ? operation.body !== undefined || random.chance(0.05) : random.chance(0.3);
  const mayCarry = !["HEAD", "OPTIONS", "GET"].includes(method);
  return {
    operation: `${operation.method} ${operation.path}`,
    method,
    path: pathOf(operation, world, random) + suffix + queryOf(operation, world, random),
    headers: {
      ...authorization(operation, world, random),
      ...reasonFor(operation, random),
      ...(random.chance(0.05)
        ? { "content-type": random.pick(CONTENT_TYPES) }
        : { "content-type": "application/json" }),
      ...(random.chance(0.1) ? random.pick(ODD_HEADERS) : {}),
    },
    ...(carriesBody && mayCarry ? { body: bodyOf(operation, world, random) } : {}),
  };
}

/** One line that lets a person repeat the request. */
export function describeRequest({ method, path, headers, body }: FuzzRequest): string {
  const shown = body === undefined ? "" : ` body ${JSON.stringify(body.toString("utf8").slice(0, 200))}`;
  const { authorization: token, ...rest } = headers;
  return `${method} ${path.slice(0, 200)} ${JSON.stringify(rest).slice(0, 200)}${token === undefined ? "" : ` authorization ${JSON.stringify(token.slice(0, 40))}`}${shown}`;
}
