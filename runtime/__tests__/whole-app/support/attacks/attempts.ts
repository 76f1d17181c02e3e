// Attempts on another organisation, made of the app's own description: every operation, every place of it that takes an id,
// every id of the victim's, and every credential that an attacker can have or make. First each of them once, then at random.
import { generateKeyPair, SignJWT, UnsecuredJWT, decodeJwt, decodeProtectedHeader } from "jose";
import { createSampler, type Document, type Operation, type Sampler } from "../fuzz/openapi";
import type { Random } from "../fuzz/random";
import { splicedKey, splicedRefreshToken, type AttackWorld } from "./world";

export interface Attempt {
  kind: "foreign id" | "forged claims" | "swapped keys" | "named tenant";
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

const ID = /(?:^|[a-z])(?:id|Id|name|token|cursor|after|challenge)$/;

interface Slot {
  operation: Operation;
  place: "path" | "query" | "body";
  name: string;
}

function slotsOf(document: Document, operation: Operation): Slot[] {
  const named = operation.body?.$ref?.split("/").at(-1) ?? "";
  const body = operation.body?.$ref === undefined ? operation.body : document.components?.schemas?.[named];
  const parameters = operation.parameters.flatMap(({ in: place, name }): Slot[] =>
    place === "path" || (place === "query" && ID.test(name)) ? [{ operation, place, name }] : [],
  );
  // Names of new things are the attacker's own words: an organisation of theirs may be called like the victim's id.
  const members = Object.keys(body?.properties ?? {}).filter((name) => ID.test(name) && name !== "name");
  return [...parameters, ...members.map((name): Slot => ({ operation, place: "body", name }))];
}

/** Makes tokens that the attacker's own key signs, or that nothing does, about the victim. */
export async function forgeries({ attacker, victim }: AttackWorld, random: Random): Promise<() => string> {
  const { privateKey } = await generateKeyPair("EdDSA");
  const own = attacker.session.accessToken;
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
  private readonly sweep: { slot: Slot; id: string }[];

  constructor(
    private readonly document: Document,
    operations: readonly Operation[],
    private readonly world: AttackWorld,
    private readonly forged: () => string,
    private readonly random: Random,
  ) {
    this.sample = createSampler(document, random);
    this.operations = operations.filter(isAttacked);
    this.foreign = Object.values(world.victim.things);
    this.sweep = this.operations
      .flatMap((operation) => slotsOf(document, operation))
      .flatMap((slot) => this.foreign.map((id) => ({ slot, id })));
  }

  /** How many it takes until each place has been asked for each id. */
  get sweepSize(): number {
    return this.sweep.length;
  }

  /** The next, of whatever kind; `number` counts from nought. */
  next(number: number): Attempt {
    const planned = this.sweep[number];
    if (planned !== undefined) {
      // By who may do most: what is refused for want of a permission asks no statement anything.
      const headers = this.headers(this.world.attacker.session.accessToken);
      return { kind: "foreign id", ...this.request(planned.slot.operation, planned), headers };
    }
    const operation = this.random.pick(this.operations);
    const slots = slotsOf(this.document, operation);
    const filled =
      slots.length === 0 ? undefined : { slot: this.random.pick(slots), id: this.random.pick(this.foreign) };
    const request = this.request(operation, filled);
    const kind = this.random.pick(["foreign id", "forged claims", "swapped keys", "named tenant"] as const);
    switch (kind) {
      case "foreign id":
        return { kind, ...request, headers: this.headers(this.own()) };
      case "forged claims":
        return { kind, ...request, headers: this.headers(this.forged()) };
      case "swapped keys":
        return this.swapped(request);
      case "named tenant":
        return this.named(request);
    }
  }

  private own(): string {
    const { session, keys } = this.world.attacker;
    return this.random.pick([session.accessToken, session.accessToken, session.accessToken, ...keys]);
  }

  private headers(token: string, more: Record<string, string> = {}): Record<string, string> {
    return { "content-type": "application/json", authorization: `Bearer ${token}`, ...more };
  }

  /** What its schemas accept, with the victim's id in one place, or in every place that takes one. */
  private request(
    operation: Operation,
    filled: { slot: Slot; id: string } | undefined,
  ): { method: string; path: string; body?: string } {
    const everywhere = this.random.chance(0.3);
    const idFor = (place: Slot["place"], name: string): string | undefined => {
      if (filled?.slot.place === place && filled.slot.name === name) return filled.id;
      return everywhere ? this.random.pick(this.foreign) : undefined;
    };
    const path = operation.path.replace(/\{([^{}]*)\}/g, (_, name: string) =>
      encodeURIComponent(idFor("path", name) ?? this.world.attacker.things.document!),
    );
    const query = operation.parameters
      .filter((parameter) => parameter.in === "query")
      .flatMap(({ name, schema }) => {
        const value = ID.test(name) ? idFor("query", name) : undefined;
        const sampled = value ?? (this.random.chance(0.3) ? String(this.sample(schema)) : undefined);
        return sampled === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(sampled)}`];
      });
    const address = query.length === 0 ? path : `${path}?${query.join("&")}`;
    if (operation.body === undefined) return { method: operation.method, path: address };
    const body = this.sample(operation.body) as Record<string, unknown>;
    for (const { place, name } of slotsOf(this.document, operation)) {
      const id = place === "body" ? idFor("body", name) : undefined;
      if (id !== undefined) body[name] = id;
    }
    return { method: operation.method, path: address, body: JSON.stringify(body) };
  }

  /** Halves of two keys, tokens for another session, cookies that name another account. */
  private swapped(request: { method: string; path: string; body?: string }): Attempt {
    const kind = "swapped keys";
    const { attacker, victim } = this.world;
    const own = this.random.pick(attacker.keys);
    const other = this.random.pick(victim.keys);
    const account = victim.things.user!;
    return this.random.pick<() => Attempt>([
      () => ({ kind, ...request, headers: this.headers(splicedKey(own, other)) }),
      () => ({ kind, ...request, headers: this.headers(splicedKey(other, own)) }),
      () => ({
        kind,
        method: "POST",
        path: "/auth/refresh",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          refreshToken: splicedRefreshToken(attacker.session.refreshToken, victim.things.session!),
        }),
      }),
      () => ({
        kind,
        ...request,
        headers: {
          "content-type": "application/json",
          "sec-fetch-site": "same-origin",
          "x-account-id": account,
          cookie: `__Host-session-0=${account}.${attacker.session.accessToken}; __Host-account=${account}`,
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
      kind: "named tenant",
      method: request.method,
      path,
      headers: this.headers(this.own(), believed),
      ...(body === undefined ? {} : { body }),
    };
  }
}
