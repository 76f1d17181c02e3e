// Part of tokens-over-http.test.ts, whose app it shares. What belongs to somebody else answers as what does not exist, byte for
// byte: every endpoint of the app's model with an id in its path, or in its body, is asked for each thing of another
// organisation and for one that nobody has. An endpoint that is added is tried without being named here.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, inject, test } from "vitest";
import type { AppModel } from "../../model";
import { createSampler, operationsOf, type Document, type Operation } from "./support/fuzz/openapi";
import { createRandom } from "./support/fuzz/random";

const root = new URL("../../../", import.meta.url);
const ID = /id$/i;
const MISSING = "01890000-0000-7000-8000-000000000000";
/** Not of an answer's content. */
const CHANGING = new Set(["date", "x-encore-trace-id"]);

interface Session {
  accessToken: string;
  user: { id: string };
  organisation: { id: string };
}

interface Answer {
  status: number;
  /** Everything that a caller can compare: headers and body, without the request's id. */
  text: string;
}

/** Where an id stands in a request. */
interface Slot {
  operation: Operation;
  where: "path" | "body";
  name: string;
}

function slotsOf(document: Document): Slot[] {
  const model = JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel;
  const guarded = new Set(
    model.services.flatMap(({ endpoints }) =>
      endpoints.flatMap(({ expose, auth, methods, path }) =>
        expose && auth
          ? methods.map(
              (method) => `${method} /${path.map(({ kind, value }) => (kind === "literal" ? value : "{}")).join("/")}`,
            )
          : [],
      ),
    ),
  );
  return operationsOf(document)
    .filter(({ method, path }) => guarded.has(`${method} ${path.replace(/\{[^{}]*\}/g, "{}")}`))
    .flatMap((operation) => {
      const properties = propertiesOf(document, operation);
      return [
        ...operation.parameters
          .filter(({ in: place, name }) => place === "path" && ID.test(name))
          .map(({ name }): Slot => ({ operation, where: "path", name })),
        ...properties.filter((name) => ID.test(name)).map((name): Slot => ({ operation, where: "body", name })),
      ];
    });
}

function propertiesOf(document: Document, { body }: Operation): string[] {
  const named = body?.$ref === undefined ? body : document.components?.schemas?.[body.$ref.split("/").at(-1) ?? ""];
  return Object.keys(named?.properties ?? {});
}

export function foreignAndMissing(baseUrl: () => string): void {
  describe("what belongs to another organisation", () => {
    let asker: Session;
    let owner: Session;
    let foreign: Record<string, string>;

    const send = async (method: string, path: string, by: Session | undefined, body?: unknown): Promise<Response> =>
      fetch(`${baseUrl()}${path}`, {
        method,
        headers: {
          "content-type": "application/json",
          ...(by === undefined ? {} : { authorization: `Bearer ${by.accessToken}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const made = async <T>(path: string, by: Session | undefined, body: unknown): Promise<T> => {
      const response = await send("POST", path, by, body);
      const text = await response.text();
      expect(response.status, `${path}: ${text}`).toBe(200);
      return JSON.parse(text) as T;
    };
    const register = async (name: string): Promise<Session> =>
      made("/auth/register", undefined, {
        email: `${name}@example.com`,
        password: "a passphrase of many words",
        organisation: name,
      });

    beforeAll(async () => {
      asker = await register("asker");
      owner = await register("owner");
      const id = async (path: string, body: unknown): Promise<string> =>
        (await made<{ id: string }>(path, owner, body)).id;
      const { sessions } = (await (await send("GET", "/auth/sessions", owner)).json()) as {
        sessions: { id: string }[];
      };
      foreign = {
        organisation: owner.organisation.id,
        account: owner.user.id,
        session: sessions[0]?.id ?? "",
        document: await id("/vectors/documents", { source: "a.md", text: "Nothing of yours." }),
        key: await id("/auth/api-keys", { name: "key" }),
        invitation: await id("/auth/invitations", { email: "invited@example.com", role: "viewer" }),
        service: await id("/auth/service-principals", { name: "machine", permissions: ["document.read"] }),
      };
    });

    const document = JSON.parse(readFileSync(new URL("docs/openapi.json", root), "utf8")) as Document;

    async function ask({ operation, where, name }: Slot, id: string): Promise<Answer> {
      const { method, path, body } = operation;
      // The same for both: values that the schemas accept, and the asker's own organisation in other places of the path.
      const sample = createSampler(document, createRandom(1));
      const filled =
        body === undefined ? undefined : { ...(sample(body) as object), ...(where === "body" ? { [name]: id } : {}) };
      const address = path.replace(/\{([^{}]*)\}/g, (_, slot: string) =>
        where === "path" && slot === name ? id : asker.organisation.id,
      );
      const response = await send(method, address, asker, filled);
      const headers = [...response.headers].filter(([header]) => !CHANGING.has(header));
      const text = (await response.text()).replace(/"requestId":"\w+"/, '"requestId":""');
      return { status: response.status, text: JSON.stringify([headers, text]) };
    }

    test("answers as what does not exist, byte for byte, whatever is asked for by its id", async () => {
      const slots = slotsOf(document);
      expect(slots.length).toBeGreaterThan(15);
      const told: string[] = [];
      const reached = new Set<number>();
      for (const slot of slots) {
        const missing = await ask(slot, MISSING);
        reached.add(missing.status);
        const place = `${slot.operation.method} ${slot.operation.path}, ${slot.name} in the ${slot.where}`;
        if (missing.status < 400 || missing.status >= 500) told.push(`${place}: ${missing.status} ${missing.text}`);
        for (const [what, id] of Object.entries(foreign)) {
          const answer = await ask(slot, id);
          if (answer.status !== missing.status || answer.text !== missing.text)
            told.push(`${place}, the ${what}: ${answer.text}\n    and a missing one: ${missing.text}`);
        }
      }
      expect(told).toEqual([]);
      expect(reached).toContain(404);
    });

    test("is still there, as it was", async () => {
      const { document: id } = foreign;
      expect((await send("GET", `/vectors/documents/${id}`, owner)).status).toBe(200);
      for (const [path, list] of [
        ["/auth/sessions", "sessions"],
        ["/auth/api-keys", "keys"],
        ["/auth/invitations", "invitations"],
        ["/auth/members", "members"],
      ] as const) {
        const answer = (await (await send("GET", path, owner)).json()) as Record<string, unknown[]>;
        expect(answer[list], path).toHaveLength(1);
      }
    });
  });
}
