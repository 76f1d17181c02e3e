// Feature flags: a closed registry of boolean and tier flags. A flag's value is, in this order: the override of the
// organisation that is asked for, where the flag may differ between them, the remote override, the local setting (variable
// FLAGS), the default. A value that is not allowed counts as absent. Where an organisation's overrides cannot be known the
// flag has its default, whatever else is set: what was switched off for one may be on for all others.
// Models: OpenFeature (typed getters that answer a declared default and never fail; https://openfeature.dev/specification),
// Unleash and LaunchDarkly (all rules in memory, read anew beside requests).
import { z } from "zod";

type BooleanFlag = { kind: "boolean"; default: boolean; why: string };
type TierFlag<T extends string> = { kind: "tier"; tiers: readonly T[]; default: T; why: string };
/** May have another value for one organisation. */
type PerOrganisation = { isPerOrganisation: true };

const booleanFlag = (fallback: boolean, why: string): BooleanFlag => ({ kind: "boolean", default: fallback, why });
const tierFlag = <const T extends string>(tiers: readonly T[], fallback: NoInfer<T>, why: string): TierFlag<T> => ({
  kind: "tier",
  tiers,
  default: fallback,
  why,
});
const perOrganisation = <F extends object>(flag: F): F & PerOrganisation => ({ ...flag, isPerOrganisation: true });

export const flagRegistry = {
  docsPage: booleanFlag(true, "serve the interactive API documentation at /docs"),
  consolePage: booleanFlag(true, "serve the operations console at /console"),
  ownProvider: perOrganisation(
    booleanFlag(true, "let the organisation bring an OpenID provider of its own, or change the one it has"),
  ),
  sqlSpans: perOrganisation(
    tierFlag(
      ["off", "names", "text"],
      "text",
      "what spans of SQL statements carry: nothing, the statement's name, its text too",
    ),
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
export type OrganisationFlagName = {
  [N in keyof Registry]: Registry[N] extends PerOrganisation ? N : never;
}[keyof Registry];

/** A flag as lists show it. */
export interface DeclaredFlag {
  name: OrganisationFlagName;
  kind: "boolean" | "tier";
  /** As texts: "true" and "false", or the tiers. */
  allowed: readonly string[];
  default: string;
  why: string;
}

const BOOLEANS = ["true", "false"] as const;

/** Those that may have another value for one organisation, by name. */
export const organisationFlags: readonly DeclaredFlag[] = Object.entries(flagRegistry)
  .filter(([, flag]) => "isPerOrganisation" in flag)
  .map(([name, flag]) => ({
    name: name as OrganisationFlagName,
    kind: flag.kind,
    allowed: flag.kind === "boolean" ? BOOLEANS : flag.tiers,
    default: String(flag.default),
    why: flag.why,
  }));

/** Asked on every read, so it must answer from memory; `undefined` leaves the flag to the local setting. */
export type RemoteOverride = (name: FlagName) => unknown;

/** The same for one organisation. It throws when it does not know whether there is one. */
export type OrganisationOverride = (tenantId: string, name: OrganisationFlagName) => unknown;

/** Reads flags. `settings` are local texts by flag name, as in the variable FLAGS. */
export class Flags {
  private remote: RemoteOverride = () => undefined;
  private ofOrganisation: OrganisationOverride = nobodyKnows;

  constructor(private readonly settings: Readonly<Record<string, string>>) {}

  /** Installs the remote source, for example a poller of a flag service. Returns a function that removes it. */
  overrideRemotely(source: RemoteOverride): () => void {
    this.remote = source;
    return () => {
      this.remote = () => undefined;
    };
  }

  /** Installs what knows the organisations' overrides (flags/). Returns a function that removes it. */
  overrideForOrganisations(source: OrganisationOverride): () => void {
    this.ofOrganisation = source;
    return () => {
      this.ofOrganisation = nobodyKnows;
    };
  }

  isOn(name: BooleanFlagName): boolean;
  /** For one organisation; undefined for work that is none's. */
  isOn(name: BooleanFlagName & OrganisationFlagName, tenantId: string | undefined): boolean;
  isOn(name: BooleanFlagName, tenantId?: string): boolean {
    return firstAllowed(booleanSchema, this.candidates(name, tenantId)) ?? flagRegistry[name].default;
  }

  tier<N extends TierFlagName>(name: N): TierOf<N>;
  /** For one organisation; undefined for work that is none's. */
  tier<N extends TierFlagName & OrganisationFlagName>(name: N, tenantId: string | undefined): TierOf<N>;
  tier<N extends TierFlagName>(name: N, tenantId?: string): TierOf<N> {
    const flag = flagRegistry[name];
    return (firstAllowed(z.enum(flag.tiers), this.candidates(name, tenantId)) ?? flag.default) as TierOf<N>;
  }

  /** All that may differ between organisations, as they are for this one. */
  allOf(tenantId: string): Record<string, boolean | string> {
    const valueOf = ({ name }: DeclaredFlag): boolean | string =>
      isTier(name) ? this.tier(name, tenantId) : this.isOn(name, tenantId);
    return Object.fromEntries(organisationFlags.map((flag) => [flag.name, valueOf(flag)]));
  }

  private candidates(name: FlagName, tenantId: string | undefined): unknown[] {
    const forAll = [askSafely(this.remote, name), this.settings[name]];
    if (tenantId === undefined) return forAll;
    try {
      return [this.ofOrganisation(tenantId, name as OrganisationFlagName), ...forAll];
    } catch {
      return [];
    }
  }
}

const isTier = (name: OrganisationFlagName): name is TierFlagName & OrganisationFlagName =>
  flagRegistry[name].kind === "tier";

/** In a process that hosts nothing which reads them. */
const nobodyKnows: OrganisationOverride = () => {
  throw new Error("nobody knows the overrides of organisations here");
};

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
