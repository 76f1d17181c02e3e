// Feature flags: a closed registry of boolean and tier flags. A flag's value is, in this order: the
// remote override, the local setting (variable FLAGS), the default. A value that is not allowed counts as absent.
import { z } from "zod";

type BooleanFlag = { kind: "boolean"; default: boolean; why: string };
type TierFlag<T extends string> = { kind: "tier"; tiers: readonly T[]; default: T; why: string };

const booleanFlag = (fallback: boolean, why: string): BooleanFlag => ({ kind: "boolean", default: fallback, why });
const tierFlag = <const T extends string>(tiers: readonly T[], fallback: NoInfer<T>, why: string): TierFlag<T> => ({
  kind: "tier",
  tiers,
  default: fallback,
  why,
});

export const flagRegistry = {
  docsPage: booleanFlag(true, "serve the interactive API documentation at /docs"),
  sqlSpans: tierFlag(
    ["off", "names", "text"],
    "text",
    "what spans of SQL statements carry: nothing, the statement's name, its text too",
  ),
};

type Registry = typeof flagRegistry;
type NamesOfKind<K extends "boolean" | "tier"> = {
  [N in keyof Registry]: Registry[N]["kind"] extends K ? N : never;
}[keyof Registry];
export type BooleanFlagName = NamesOfKind<"boolean">;
export type TierFlagName = NamesOfKind<"tier">;
export type FlagName = keyof Registry;
export type TierOf<N extends TierFlagName> = Registry[N] extends TierFlag<infer T> ? T : never;

/** Asked on every read, so it must answer from memory; `undefined` leaves the flag to the local setting. */
export type RemoteOverride = (name: FlagName) => unknown;

/** Reads flags. `settings` are local texts by flag name, as in the variable FLAGS. */
export class Flags {
  private remote: RemoteOverride = () => undefined;

  constructor(private readonly settings: Readonly<Record<string, string>>) {}

  /** Installs the remote source, for example a poller of a flag service. Returns a function that removes it. */
  overrideRemotely(source: RemoteOverride): () => void {
    this.remote = source;
    return () => {
      this.remote = () => undefined;
    };
  }

  isOn(name: BooleanFlagName): boolean {
    return firstAllowed(booleanSchema, this.candidates(name)) ?? flagRegistry[name].default;
  }

  tier<N extends TierFlagName>(name: N): TierOf<N> {
    const flag = flagRegistry[name];
    return (firstAllowed(z.enum(flag.tiers), this.candidates(name)) ?? flag.default) as TierOf<N>;
  }

  private candidates(name: FlagName): unknown[] {
    return [askSafely(this.remote, name), this.settings[name]];
  }
}

const booleanSchema = z.union([
  z.boolean(),
  z.enum(["true", "1"]).transform(() => true),
  z.enum(["false", "0"]).transform(() => false),
]);

function firstAllowed<T>(schema: z.ZodType<T>, candidates: readonly unknown[]): T | undefined {
  for (const candidate of candidates) {
    const parsed = candidate === undefined ? undefined : schema.safeParse(candidate);
    if (parsed?.success === true) return parsed.data;
  }
  return undefined;
}

/** A remote source that fails must not take the app with it. */
function askSafely(source: RemoteOverride, name: FlagName): unknown {
  try {
    return source(name);
  } catch {
    return undefined;
  }
}
