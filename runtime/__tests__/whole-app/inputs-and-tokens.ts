// Part of every-endpoint.pg.test.ts, whose app it shares. What a request may say and what becomes of it: fields that are not the
// caller's to set, parameters that come twice or from elsewhere, names of files; and what a sign-in hands out.
// (ASVS 5.0 5.3.2, 7.2.2, 14.2.3, 15.3.3, 15.3.7.)
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";

interface Shared {
  baseUrl: () => string;
  /** Where the app keeps what it writes. */
  statePath: string;
  /** Requests that the model's provider has had. */
  askedModels: () => number;
}

interface Person {
  email: string;
  accessToken: string;
  refreshToken: string;
  organisationId: string;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

const password = "a passphrase of many words";

export function inputsAndTokens({ baseUrl, statePath, askedModels }: Shared): void {
  const send = async (method: string, path: string, body?: string | object, token?: string): Promise<Answer> => {
    const headers = {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await fetch(`${baseUrl()}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: text }),
    });
    const said = await answer.text();
    return { status: answer.status, body: (said === "" ? {} : JSON.parse(said)) as Record<string, unknown> };
  };
  const register = async (more: object = {}): Promise<Person> => {
    const email = `${crypto.randomUUID()}@example.com`;
    const { status, body } = await send("POST", "/auth/register", { email, password, organisation: "Inputs", ...more });
    expect(status).toBe(200);
    const { accessToken, refreshToken } = body as unknown as Person;
    const me = (await send("GET", "/auth/me", undefined, accessToken)).body as { organisation: { id: string } };
    return { email, accessToken, refreshToken, organisationId: me.organisation.id };
  };
  const signIn = ({ email }: Person): Promise<Answer> => send("POST", "/auth/login", { email, password });
  let ada: Person;
  let bob: Person;

  describe("what a request says", () => {
    beforeAll(async () => {
      [ada, bob] = [await register(), await register()];
    });

    test("sets no field that is not of its operation: neither whose a thing is, nor its id, version or times", async () => {
      const foreign = { id: crypto.randomUUID(), tenantId: bob.organisationId, organisationId: bob.organisationId };
      const eve = await register({ ...foreign, role: "viewer", kind: "operator", permissions: [], emailVerifiedAt: 0 });
      const me = (await send("GET", "/auth/me", undefined, eve.accessToken)).body as {
        kind: string;
        role: string;
        user: { id: string };
        organisation: { id: string };
      };
      expect(me).toMatchObject({ kind: "user", role: "owner" });
      expect([me.user.id, me.organisation.id]).not.toContain(foreign.id);
      expect(me.organisation.id).not.toBe(bob.organisationId);
      const product = { sku: "mass", name: "Mass", priceMinor: 1, currency: "EUR" };
      const made = await send(
        "POST",
        "/api/v1/products",
        { ...product, ...foreign, version: 9, createdAt: "2001-01-01T00:00:00Z", deletedAt: "2001-01-01T00:00:00Z" },
        eve.accessToken,
      );
      expect(made).toMatchObject({ status: 201, body: { ...product, version: 1 } });
      expect(made.body.id).not.toBe(foreign.id);
      expect(String(made.body.createdAt)).not.toContain("2001");
      const changed = await send(
        "PATCH",
        `/api/v1/products/${String(made.body.id)}`,
        { name: "Changed", ...foreign, createdAt: "2001-01-01T00:00:00Z" },
        eve.accessToken,
      );
      expect(changed.body).toMatchObject({ id: made.body.id, name: "Changed", version: 2 });
      expect(changed.body.createdAt).toBe(made.body.createdAt);
      expect((await send("GET", "/api/v1/products", undefined, bob.accessToken)).body.items).toEqual([]);
    });

    test("counts from one place alone: a parameter that comes twice is refused, one from elsewhere is none", async () => {
      for (const path of ["/auth/audit?limit=1&limit=50", "/tasks?limit=1&limit=2"])
        expect((await send("GET", path, undefined, ada.accessToken)).status, path).toBe(400);
      const email = JSON.stringify(ada.email);
      for (const body of [
        `{"email":${email},"password":"wrong","password":"${password}"}`,
        `{"email":${JSON.stringify(bob.email)},"email":${email},"password":"${password}"}`,
      ])
        expect((await send("POST", "/auth/login", body)).status).toBe(400);
      // What belongs into the body stands in the query.
      const query = new URLSearchParams({ email: ada.email, password }).toString();
      expect((await send("POST", `/auth/login?${query}`, { email: ada.email, password: "wrong" })).status).toBe(401);
      expect((await send("POST", `/auth/login?${query}`, {})).status).toBe(400);
      // What belongs into the path.
      const product = { sku: "twice", name: "Twice", priceMinor: 1, currency: "EUR" };
      const [first, second] = [
        await send("POST", "/api/v1/products", product, ada.accessToken),
        await send("POST", "/api/v1/products", { ...product, sku: "other" }, ada.accessToken),
      ];
      const path = `/api/v1/products/${String(first.body.id)}?id=${String(second.body.id)}`;
      expect((await send("GET", path, undefined, ada.accessToken)).body.id).toBe(first.body.id);
    });

    test("names no place on disk: files lie under ids, whatever they are called", async () => {
      const mark = `mark-${crypto.randomUUID()}`;
      const names = [`../../${mark}`, `..%2F${mark}`, `/tmp/${mark}`, `C:\\${mark}`, `${mark}\0.txt`, `....//${mark}`];
      const statuses = [];
      for (const name of names) {
        const path = `/assets?name=${encodeURIComponent(name)}`;
        const answer = await fetch(`${baseUrl()}${path}`, {
          ...{ method: "POST", headers: { authorization: `Bearer ${ada.accessToken}` }, body: `${mark} of ${name}` },
        });
        await answer.body?.cancel();
        statuses.push(answer.status);
      }
      expect(statuses.every((status) => status < 500)).toBe(true);
      const places = readdirSync(statePath, { recursive: true, encoding: "utf8" });
      expect(places.filter((place) => place.includes(mark))).toEqual([]);
      for (const outside of [join(statePath, "..", mark), join(statePath, "..", "..", mark), join("/tmp", mark)])
        expect(existsSync(outside), outside).toBe(false);
      // A digest of the object's name, which is made of ids.
      const stored = places.filter((place) => /asset-files\/[0-9a-f]{2}\/[0-9a-f]{64}\/v[\w-]+$/.test(place));
      const kept = stored.filter((place) => readFileSync(join(statePath, place), "utf8").includes(mark));
      for (const place of kept) {
        const folder = join(statePath, place, "..");
        const beside = readdirSync(folder).filter((name) => name.endsWith(".json"));
        const { name } = JSON.parse(readFileSync(join(folder, beside[0] ?? ""), "utf8")) as { name: string };
        expect(name).toMatch(/^[0-9a-f-]{36}\/[0-9a-f-]{36}\/0$/);
      }
      expect(kept.length).toBe(statuses.filter((status) => status < 300).length);
      expect(kept.length).toBeGreaterThan(2);
    });

    test("goes to nobody else: no page sends anything elsewhere, and no model is asked but by who asks one", async () => {
      for (const path of ["/docs", "/mail"]) {
        const page = await (await fetch(`${baseUrl()}${path}`)).text();
        const places = [
          ...page.matchAll(/\b(?:src|action|poster|data|srcset)\s*=\s*"([^"]*)"|<link[^>]*href="([^"]*)"/g),
        ];
        for (const [, source, link] of places) expect(source ?? link, path).not.toMatch(/^(?:[a-z]+:)?\/\//i);
      }
      const before = askedModels();
      const document = { source: "private.md", text: "# Private\n\nNobody else reads this." };
      expect((await send("POST", "/vectors/documents", document, ada.accessToken)).status).toBeLessThan(300);
      expect((await send("GET", "/vectors/search?q=private", undefined, ada.accessToken)).status).toBe(200);
      expect(askedModels()).toBe(before);
    });
  });

  describe("a session", () => {
    test("has tokens made for it: two of one person share none, and no key of the API opens or renews one", async () => {
      const person = await register();
      const [one, two] = await Promise.all([signIn(person), signIn(person)]);
      const tokens = [person, one.body, two.body].flatMap((from) => {
        const { accessToken, refreshToken } = from as unknown as Person;
        return [accessToken, refreshToken];
      });
      expect(tokens.every((token) => typeof token === "string" && token.length > 40)).toBe(true);
      expect(new Set(tokens).size).toBe(6);
      const { key } = (await send("POST", "/auth/api-keys", { name: "static" }, person.accessToken)).body as {
        key: string;
      };
      expect((await send("GET", "/auth/me", undefined, key)).status).toBe(200);
      expect((await send("GET", "/auth/sessions", undefined, key)).status).toBe(403);
      expect((await send("POST", "/auth/refresh", { refreshToken: key })).status).toBe(401);
    });
  });
}
