// Cross-origin headers of the gateway (contract 3.10), computed once as far as possible.
import type { AppFile } from "../model";
import { wireName } from "../schema/request-codec";
import type { ShapeField } from "../schema/shape";

type Settings = NonNullable<AppFile["globalCors"]>;

const ALWAYS_ALLOWED = [
  "accept",
  "authorization",
  "content-type",
  "origin",
  "user-agent",
  "x-correlation-id",
  "x-request-id",
  "x-requested-with",
];
const ALWAYS_EXPOSED = ["x-request-id", "x-correlation-id", "x-encore-trace-id"];
const VARY = "origin, access-control-request-method, access-control-request-headers";
const CREDENTIAL = /(?:^|,)\s*(?:authorization|cookie)\s*(?:,|$)/;

/** The parts of a request that decide. */
export interface CorsRequest {
  method: string;
  origin: string | undefined;
  authorization: string | undefined;
  cookie: string | undefined;
  requestMethod: string | undefined;
  requestHeaders: string | undefined;
  privateNetwork: string | undefined;
}

type Origins = (origin: string) => boolean;

/** H-122: `*` alone, an exact origin, or one `*` that stands for at least one character. */
function matcher(patterns: readonly string[] | undefined, byDefault: boolean): Origins {
  if (!patterns) return () => byDefault;
  if (patterns.includes("*")) return () => true;
  const tests = patterns.map((pattern): Origins => {
    const star = pattern.indexOf("*");
    if (star < 0) return (origin) => origin === pattern;
    const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
    return (origin) =>
      origin.length > before.length + after.length && origin.startsWith(before) && origin.endsWith(after);
  });
  return (origin) => tests.some((test) => test(origin.toLowerCase()));
}

const names = (fields: readonly ShapeField[]): string[] => fields.map((f) => wireName(f).toLowerCase());

export interface CorsInput {
  settings: Settings | undefined;
  /** All origins are let in, with and without credentials, as under `encore run` (H-125). */
  open: boolean;
  requestFields: readonly ShapeField[];
  responseFields: readonly ShapeField[];
}

export class Cors {
  /** Names and values that every answer of the gateway carries. */
  readonly common: readonly string[];
  private readonly preflight: readonly string[];
  private readonly mirrorHeaders: boolean;
  private readonly withCredentials: Origins;
  private readonly withoutCredentials: Origins;

  constructor({ settings, open, requestFields, responseFields }: CorsInput) {
    const allowed = [
      ...(settings?.allowHeaders ?? []).map((h) => h.toLowerCase()),
      ...ALWAYS_ALLOWED,
      ...new Set(names(requestFields)),
    ];
    const exposed = [
      ...(settings?.exposeHeaders ?? []).map((h) => h.toLowerCase()),
      ...ALWAYS_EXPOSED,
      ...new Set(names(responseFields)),
    ];
    this.mirrorHeaders = settings?.allowHeaders?.includes("*") ?? false;
    const shared = ["vary", VARY, "access-control-allow-credentials", "true"];
    this.common = [...shared, "access-control-expose-headers", exposed.join(",")];
    this.preflight = this.mirrorHeaders ? shared : [...shared, "access-control-allow-headers", allowed.join(",")];
    this.withCredentials = open ? () => true : matcher(settings?.allowOriginsWithCredentials, false);
    this.withoutCredentials = open ? () => true : matcher(settings?.allowOriginsWithoutCredentials, true);
  }

  /** Whether this origin may read the answer. One that may not just gets no header (H-124). */
  allows(request: CorsRequest): boolean {
    if (request.origin === undefined) return false;
    const asksForCredentials = request.method === "OPTIONS" && CREDENTIAL.test(request.requestHeaders ?? "");
    const hasCredentials = request.authorization !== undefined || request.cookie !== undefined || asksForCredentials;
    return (hasCredentials ? this.withCredentials : this.withoutCredentials)(request.origin);
  }

  /** The headers of a pre-flight answer (H-120). */
  preflightLines(request: CorsRequest): string[] {
    const lines = [...this.preflight];
    if (this.mirrorHeaders && request.requestHeaders !== undefined)
      lines.push("access-control-allow-headers", request.requestHeaders);
    if (request.requestMethod !== undefined) lines.push("access-control-allow-methods", request.requestMethod);
    if (request.privateNetwork === "true") lines.push("access-control-allow-private-network", "true");
    if (request.origin !== undefined && this.allows(request)) lines.push("access-control-allow-origin", request.origin);
    return lines;
  }
}
