// Attempts on another organisation, made of the app's own description: every operation, every place of it that takes an id,
// every id of the victim's, and every credential that an attacker can have or make. First each of them once, then at random.
import { generateKeyPair, SignJWT, UnsecuredJWT, decodeJwt, decodeProtectedHeader } from "jose";
import { createSampler, type Document, type Operation, type Sampler, type Schema } from "../fuzz/openapi";
import { shuffled, type Random } from "../fuzz/random";
import { cookiesOf } from "../pairs/asker";
import { membersOf, putMember } from "../pairs/slots";
import { splicedKey, splicedRefreshToken, type Attacker, type AttackWorld } from "./world";

export interface Attempt {
  by: Attacker;
  kind: "foreign id" | "forged claims" | "swapped keys" | "named tenant";
  /** Of the first time that every place is asked for every id. */
  place?: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/**
 * Not the mailbox: it shows the machine's owner every mail by design, and exists in development only. Nor the end of the
 * attacker's own account, after which there would be nobody to attack.
 */
const isAttacked = ({ path }: Operation): boolean => !path.startsWith("/mail") && path !== "/auth/account/delete";

const ID = /(?:^|[a-z])(?:ids?|Ids?|name|[tT]oken|cursor|after|challenge|provider|invitation|mailedCode)$/;
/** A client of a provider is registered there: its id names nothing of ours. */
const NOT_OURS = new Set(["clientId"]);
/** The only header of the model that names something stored; those that name a tenant are tried with every request. */
const KEYED = "Idempotency-Key";

interface Slot {
  operation: Operation;
  place: "path" | "query" | "header" | "body";
  /** In a body with dots, as in `filter.ids`. */
  name: string;
}

/** Filters of lists: an operator stands before each value. */
const isFilter = (schema: Schema | undefined): boolean => schema?.type === "array";

export const describeSlot = ({ operation, place, name }: Slot): string =>
  `${operation.method} ${operation.path}, ${name} in the ${place}`;

function slotsOf(document: Document, operation: Operation): Slot[] {
  const parameters = operation.parameters.flatMap(({ in: place, name, schema }): Slot[] =>
    place === "path" ||
    (place === "query" && ID.test(name) && (schema?.type === "string" || isFilter(schema))) ||
    (place === "header" && name === KEYED)
      ? [{ operation, place, name }]
      : [],
  );
  // Names of new things are the attacker's own words: an organisation of theirs may be called like the victim's id.
  const members = membersOf(document, operation.body, ID).filter((name) => name !== "name" && !NOT_OURS.has(name));
  return [...parameters, ...members.map((name): Slot => ({ operation, place: "body", name }))];
}

/** A place and what stands in it; neither where nothing is filled in. */
interface Filled {
  slot?: Slot;
  id?: string;
}

interface Planned extends Filled {
  operation: Operation;
}

const headerOf = ({ slot, id }: Filled): Record<string, string> =>
  slot?.place === "header" && id !== undefined ? { [slot.name.toLowerCase()]: id } : {};

/** Makes tokens that the attacker's own key signs, or that nothing does, about the victim. */
export async function forgeries({ attackers, victim }: AttackWorld, random: Random): Promise<() => string> {
  const { privateKey } = await generateKeyPair("EdDSA");
  const own = attackers[0]!.session.accessToken;
  const claims = decodeJwt(own);
  const { kid } = decodeProtectedHeader(own) as { kid: string };
  const [head = "", , signature = ""] = own.split(".");
  const changed = [
    { tenant: victim.things.organisation },
    { sub: victim.things.user },
    { sid: victim.things.session },
    { sub: victim.things.user, sid: victim.things.session, tenant: victim.things.organisation, role: "owner" },
    { tenant: victim.things.organisation, role: undefined, role_id: victim.things.role, scope: "document.read" },
  ].map((change) => ({ ...claims, ...change }));
  const made = await Promise.all(
    changed.flatMap((payload) => {
      const header = { alg: "EdDSA", typ: "at+jwt" };
      const encoded = Buffer.from(JSON.stringify(payload)).toString("base64url");
      return [
        Promise.resolve(`${head}.${encoded}.${signature}`),
        Promise.resolve(new UnsecuredJWT(payload).encode()),
        new SignJWT(payload).setProtectedHeader({ ...header, kid }).sign(privateKey),
        new SignJWT(payload).setProtectedHeader({ ...header, kid: "mine" }).sign(privateKey),
        new SignJWT(payload).setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid }).sign(Buffer.from(kid)),
      ];
    }),
  );
  return () => random.pick(made);
}

export class Attempts {
  private readonly sample: Sampler;
  private readonly operations: readonly Operation[];
  private readonly foreign: readonly string[];
  private readonly sweep: Planned[];
  /** Whose turn it is. */
  private by: Attacker;
  private readonly slots: ReadonlyMap<Operation, readonly Slot[]>;

  constructor(
    document: Document,
    operations: readonly Operation[],
    private readonly world: AttackWorld,
    private readonly forged: () => string,
    private readonly random: Random,
  ) {
    this.sample = createSampler(document, random);
    this.by = world.attackers[0]!;
    this.operations = operations.filter(isAttacked);
    this.foreign = Object.values(world.victim.things);
    this.slots = new Map(this.operations.map((operation) => [operation, slotsOf(document, operation)]));
    const asked = [...this.slots.values()]
      .flat()
      .flatMap((slot) => this.foreign.map((id): Planned => ({ operation: slot.operation, slot, id })));
    const isLook = ({ operation }: Planned): boolean => operation.method === "GET";
    // What lists, counts, searches or exports the attacker's own, too.
    const lists = this.operations.map((operation): Planned => ({ operation })).filter(isLook);
    // Looks first: what a leak deletes shows in no later one. Each part mixed: the same operation a hundred times in a row
    // waits for its own locks.
    this.sweep = [
      ...shuffled([...asked.filter(isLook), ...lists], random),
      ...shuffled(
        asked.filter((planned) => !isLook(planned)),
        random,
      ),
    ];
  }

  /** Every operation that is attacked, as `METHOD path`. */
  get attacked(): string[] {
    return this.operations.map(({ method, path }) => `${method} ${path}`);
  }

  /** How many it takes until each place has been asked for each id. */
  get sweepSize(): number {
    return this.sweep.length;
  }

  /** The next, of whatever kind; `number` counts from nought. */
  next(number: number): Attempt {
    const { attackers } = this.world;
    const by = (this.by = attackers[number % attackers.length]!);
    const planned = this.sweep[number];
    if (planned !== undefined) {
      // By who may do most: what is refused for want of a permission asks no statement anything.
      const { slot, operation } = planned;
      return {
        by,
        kind: "foreign id",
        place: slot === undefined ? `${operation.method} ${operation.path}` : describeSlot(slot),
        ...this.request(operation, planned, true),
        headers: { ...this.headersFor(operation), ...headerOf(planned) },
      };
    }
    const operation = this.random.pick(this.operations);
    const slots = this.slots.get(operation)!;
    const filled = slots.length === 0 ? {} : { slot: this.random.pick(slots), id: this.random.pick(this.foreign) };
    const request = this.request(operation, filled);
    const kind = this.random.pick(["foreign id", "forged claims", "swapped keys", "named tenant"] as const);
    switch (kind) {
      case "foreign id":
        return { by, kind, ...request, headers: { ...this.headers(this.own()), ...headerOf(filled) } };
      case "forged claims":
        return { by, kind, ...request, headers: this.headers(this.forged()) };
      case "swapped keys":
        return this.swapped(request);
      case "named tenant":
        return this.named(request);
    }
  }

  private own(): string {
    const { session, keys } = this.by;
    return this.random.pick([session.accessToken, session.accessToken, session.accessToken, ...keys]);
  }

  /** By who may do most: accounts of a browser ask for its cookies. */
  private headersFor({ path }: Operation): Record<string, string> {
    const { things, session } = this.by;
    if (!path.startsWith("/auth/accounts")) return this.headers(session.accessToken);
    return { "content-type": "application/json", ...cookiesOf({ userId: things.user!, ...session }) };
  }

  private headers(token: string, more: Record<string, string> = {}): Record<string, string> {
    return { "content-type": "application/json", authorization: `Bearer ${token}`, ...more };
  }

  /** What its schemas accept, with the victim's id in one place, or in every place that takes one. */
  private request(
    operation: Operation,
    { slot, id }: Filled,
    isPlanned = false,
  ): { method: string; path: string; body?: string } {
    const everywhere = !isPlanned && this.random.chance(0.3);
    const idFor = (place: Slot["place"], name: string): string | undefined => {
      if (slot?.place === place && slot.name === name) return id;
      return everywhere ? this.random.pick(this.foreign) : undefined;
    };
    const path = operation.path.replace(/\{([^{}]*)\}/g, (_, name: string) =>
      encodeURIComponent(idFor("path", name) ?? this.ownFor(operation, name)),
    );
    const query = operation.parameters
      .filter((parameter) => parameter.in === "query")
      .flatMap(({ name, schema, required }) => {
        const value = ID.test(name) ? idFor("query", name) : undefined;
        const isSampled = required === true || (!isPlanned && !isFilter(schema) && this.random.chance(0.3));
        const sampled = value === undefined && isSampled ? String(this.sample(schema)) : value;
        const text = isFilter(schema) && sampled !== undefined ? `eq.${sampled}` : sampled;
        return text === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(text)}`];
      });
    const address = query.length === 0 ? path : `${path}?${query.join("&")}`;
    if (operation.body === undefined) return { method: operation.method, path: address };
    const body = this.sample(operation.body) as Record<string, unknown>;
    for (const { place, name } of this.slots.get(operation)!) {
      const found = place === "body" ? idFor("body", name) : undefined;
      if (found !== undefined) putMember(body, name.split("."), found);
    }
    // A role of the organisation's own is taken with this word alone.
    if (slot?.name === "roleId") body.role = "custom";
    // A budget of somebody's says whose kind it is, and counts whole millionths.
    if (slot?.name === "of.id") Object.assign(body, { of: { kind: "user", id }, limitMicroUsd: 1 });
    return { method: operation.method, path: address, body: JSON.stringify(body) };
  }

  private ownFor({ path }: Operation, name: string): string {
    const { things } = this.by;
    if (name === "userId") return things.user!;
    if (path.startsWith("/webhooks/endpoints")) return things.endpoint!;
    return (path.startsWith("/auth/organisations") ? things.organisation : things.document)!;
  }

  /** Halves of two keys, tokens for another session, cookies that name another account. */
  private swapped(request: { method: string; path: string; body?: string }): Attempt {
    const kind = "swapped keys";
    const { by } = this;
    const { victim } = this.world;
    const own = this.random.pick(by.keys);
    const other = this.random.pick(victim.keys);
    const account = victim.things.user!;
    return this.random.pick<() => Attempt>([
      () => ({ by, kind, ...request, headers: this.headers(splicedKey(own, other)) }),
      () => ({ by, kind, ...request, headers: this.headers(splicedKey(other, own)) }),
      () => ({
        by,
        kind,
        method: "POST",
        path: "/auth/refresh",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          refreshToken: splicedRefreshToken(by.session.refreshToken, victim.things.session!),
        }),
      }),
      () => ({
        by,
        kind,
        ...request,
        headers: {
          "content-type": "application/json",
          "sec-fetch-site": "same-origin",
          "x-account-id": account,
          cookie: `__Host-session-0=${account}.${by.session.accessToken}; __Host-account=${account}`,
        },
      }),
    ])();
  }

  /** The attacker's own credentials, and the victim named wherever somebody might believe it. */
  private named(request: { method: string; path: string; body?: string }): Attempt {
    const { organisation, user } = this.world.victim.things as { organisation: string; user: string };
    const believed = this.random.pick<Record<string, string>>([
      { "x-organisation-id": organisation },
      { "x-tenant-id": organisation, "x-user-id": user },
      { "x-account-id": user },
      { "x-encore-meta-userid": user, "x-encore-meta-caller": "api:auth.login" },
      { "x-encore-meta-authdata": JSON.stringify({ userID: user, tenantId: organisation, role: "owner" }) },
      { baggage: `tenantId=${organisation}`, tracestate: `tenant=${organisation}` },
    ]);
    const named = { tenantId: organisation, organisationId: organisation, tenant_id: organisation, userId: user };
    const body =
      request.body === undefined ? undefined : JSON.stringify({ ...(JSON.parse(request.body) as object), ...named });
    const path = `${request.path}${request.path.includes("?") ? "&" : "?"}tenantId=${organisation}&organisationId=${organisation}`;
    return {
      by: this.by,
      kind: "named tenant",
      method: request.method,
      path,
      headers: this.headers(this.own(), believed),
      ...(body === undefined ? {} : { body }),
    };
  }
}
