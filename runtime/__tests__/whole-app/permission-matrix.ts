// Part of every-endpoint.test.ts and every-endpoint.pg.test.ts, whose app it shares. Who gets in where stands in docs/permissions.md, a row for each endpoint
// and a column for each kind of caller: here every cell is asked for, of the running app, with credentials that it gave.
// The page is written from the tags (scripts/gen/permission-callers.ts), so a tag that changes shows there; what is held here
// is that guard, gateway and tokens do what it says. (OWASP ASVS 5.0 8.2.1; Web Security Testing Guide, WSTG-ATHZ-02.)
import { readFileSync } from "node:fs";
import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { matrixCallers, refusals, type Cell } from "../../../scripts/gen/permission-callers";
import type { AppModel, EndpointModel } from "../../model";
import type { CommandsBeside } from "./support/commands-beside";
import { createSampler, operationsOf, type Document, type Operation } from "./support/fuzz/openapi";
import type { Random } from "./support/fuzz/random";
import { makeMatrixWorld, type MatrixWorld, type OwnThings } from "./support/matrix-world";
import { makeSender } from "./support/pairs/sender";
import type { PairAnswer, PairSend } from "./support/pairs/world";

const LANES = 8;
const repository = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, repository), "utf8");
const columns = Object.keys(matrixCallers);

/** One endpoint by one method, with what its row says of each caller. */
interface Row {
  endpoint: EndpointModel;
  method: string;
  /** As the page names it. */
  request: string;
  cells: Record<string, Cell>;
}

interface Asked {
  row: Row;
  column: string;
  /** In the place of the path's parameters; one that nobody has, if not given. */
  id?: string;
}

/** No organisation's provider lets anybody leave another organisation than its own: that is looked at with the organisation, behind the guard. */
const BEHIND_THE_GUARD: Record<string, string> = {
  "POST /auth/organisations/:id/leave vouched": "own_proof_required",
};
/** End the caller's own sign-in, or its others: asked last, in this order. */
const ENDS = ["auth.logout", "auth.endOtherSessions", "auth.deleteAccount", "auth.operatorLogout"];

/** The last table of docs/permissions.md: cells by request. */
function tableOf(page: string): Map<string, Record<string, Cell>> {
  const section = page.slice(page.indexOf("\n## By caller\n"));
  const lines = section.split("\n").filter((line) => line.startsWith("| "));
  const [head = [], ...rows] = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(head.slice(1)).toEqual(columns);
  return new Map(
    rows.map(([request = "", ...cells]) => [
      request.replaceAll("`", ""),
      Object.fromEntries(cells.map((cell, i) => [columns[i] ?? "", cell as Cell])),
    ]),
  );
}

/** `id` in each place of the path, or as the page writes it. */
const pathOf = ({ path }: EndpointModel, id?: string): string =>
  `/${path
    .map(({ kind, value }) => (kind === "literal" ? value : (id ?? `${kind === "param" ? ":" : "*"}${value}`)))
    .join("/")}`;

function rowsOf(model: AppModel): Row[] {
  const table = tableOf(read("docs/permissions.md"));
  const exposed = model.services.flatMap(({ endpoints }) => endpoints.filter(({ expose }) => expose));
  const rows = exposed.flatMap((endpoint) =>
    endpoint.methods.map((method) => {
      const request = `${method} ${pathOf(endpoint)}`;
      return { endpoint, method, request, cells: table.get(request) ?? {} };
    }),
  );
  expect(rows.map(({ request }) => request).sort()).toEqual([...table.keys()].sort());
  return rows;
}

/** Always the least: what must be there and nothing else, the first of what may be chosen. */
const least: Random = {
  next: () => 0,
  integer: (min) => min,
  chance: () => false,
  pick: <T>([first]: readonly T[]): T => first as T,
};

/** Makes requests that the endpoints' interfaces accept, about things that nobody has: what gets in does no harm. */
function requests(document: Document): (asked: Asked, token: string | undefined) => Parameters<PairSend>[0] {
  const sample = createSampler(document, least);
  const shape = (method: string, path: string): string => `${method} ${path.replace(/\{[^{}]*\}/g, "{}")}`;
  const operations = new Map<string, Operation>(
    operationsOf(document).map((operation) => [shape(operation.method, operation.path), operation]),
  );
  return ({ row: { endpoint, method }, id = v7() }, token) => {
    const operation = operations.get(shape(method, pathOf(endpoint, "{}")));
    const needed = (operation?.parameters ?? []).filter(({ required }) => required === true);
    const valuesIn = (place: "query" | "header"): [string, string][] =>
      needed.filter((part) => part.in === place).map(({ name, schema }) => [name, String(sample(schema, 0, name))]);
    const query = new URLSearchParams(valuesIn("query")).toString();
    const headers = {
      ...Object.fromEntries(valuesIn("header")),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const request = { method, path: `${pathOf(endpoint, id)}${query === "" ? "" : `?${query}`}`, headers };
    if (operation?.body === undefined) return request;
    const body = sample(operation.body) as Record<string, unknown>;
    // One that everybody may give who may give any.
    if ("role" in body) body.role = "viewer";
    return { ...request, body: JSON.stringify(body) };
  };
}

/** Why the app refused; undefined where it did not. */
function reasonOf({ status, text }: PairAnswer): string | undefined {
  if (status < 400) return undefined;
  type Body = {
    code: string;
    details?: { reason?: string } | null;
    error?: { code: string; data?: { reason: string } };
  };
  // `error`: in the forms of the OpenAI protocol and of JSON-RPC.
  const { code, details, error } = JSON.parse(text) as Body;
  return details?.reason ?? error?.data?.reason ?? error?.code ?? code;
}

const REFUSALS: Record<string, string> = refusals;
/** What no caller is told who gets in. */
const notLetIn = new Set<string>([...Object.values(refusals), "endpoint_closed", "invalid_token", "rate_limited"]);

function complaint({ row, column }: Asked, answer: PairAnswer): string | undefined {
  const cell = row.cells[column] ?? "";
  const wanted = BEHIND_THE_GUARD[`${row.request} ${column}`] ?? REFUSALS[cell];
  const told = reasonOf(answer);
  const asExpected =
    wanted === undefined
      ? answer.status < 500 && (told === undefined || !notLetIn.has(told))
      : told === wanted && answer.status === (wanted === "unauthenticated" ? 401 : 403);
  if (asExpected) return undefined;
  return `${row.request} by ${column}: ${cell} on the page, ${answer.status} ${told ?? ""} by the app`;
}

interface Shared {
  baseUrl: () => string;
  commands: CommandsBeside;
  /** As `makeMatrixWorld` has it. */
  mailed?: (email: string) => Promise<string>;
}

export function permissionMatrix({ baseUrl, commands, mailed }: Shared): void {
  describe("the table of docs/permissions.md", () => {
    let world: MatrixWorld;
    let rows: Row[];
    const requestOf = requests(JSON.parse(read("docs/openapi.json")) as Document);

    const { send, closeSender } = makeSender(baseUrl);
    afterAll(closeSender);

    const complaintsOf = async (all: Asked[], tokens: MatrixWorld["tokens"], lanes = LANES): Promise<string[]> => {
      const [left, told]: [Asked[], string[]] = [[...all].reverse(), []];
      const lane = async (): Promise<void> => {
        for (let asked = left.pop(); asked !== undefined; asked = left.pop()) {
          const said = complaint(asked, await send(requestOf(asked, tokens[asked.column])));
          if (said !== undefined) told.push(said);
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      return told.sort();
    };

    beforeAll(async () => {
      rows = rowsOf(JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel);
      world = await makeMatrixWorld(send, commands, mailed);
      expect(Object.keys(world.tokens).sort()).toEqual([...columns].sort());
    }, 120_000);

    test("lets nobody get at what a colleague owns, but who manages all of its kind", async () => {
      const owned = rows.filter(({ cells }) => Object.values(cells).includes("own"));
      expect(owned.map(({ request }) => request).sort()).toEqual(
        rows
          .filter(({ endpoint: { tags } }) => tags.some((tag) => tag.startsWith("owns:")))
          .map(({ request }) => request)
          .sort(),
      );
      const wrong: string[] = [];
      let asked = 0;
      const ask = async (row: Row, column: string, whose: string, isFound: boolean): Promise<void> => {
        const thing = row.endpoint.tags.find((tag) => tag.startsWith("owns:"))?.slice("owns:".length);
        const id = world.things[whose]?.[thing as keyof OwnThings];
        if (id === undefined) throw new Error(`${whose} has no ${thing}`);
        const { status, text } = await send(requestOf({ row, column, id }, world.tokens[column]));
        asked++;
        if (isFound ? status !== 404 && status < 500 : status === 404) return;
        wrong.push(`${row.request} by ${column}, of ${whose}: ${status} ${text}`);
      };
      // What reads before what changes.
      for (const row of owned.sort((a, b) => a.method.localeCompare(b.method)))
        for (const [column, cell] of Object.entries(row.cells)) {
          if (cell === "own") {
            await ask(row, column, "owner", false);
            await ask(row, column, column, true);
          } else if (cell === "yes") await ask(row, column, "owner", true);
        }
      expect(wrong).toEqual([]);
      expect(asked).toBeGreaterThan(30);
    });

    test("is what the app says, in every cell", async () => {
      const askedOf = (some: Row[]): Asked[] => some.flatMap((row) => columns.map((column) => ({ row, column })));
      const nameOf = ({ endpoint: { service, name } }: Row): string => `${service}.${name}`;
      const lasting = askedOf(rows.filter((row) => !ENDS.includes(nameOf(row))));
      const [logout = [], ending = [], deletion = [], operators = []] = ENDS.map((name) =>
        askedOf(rows.filter((row) => nameOf(row) === name)),
      );
      const isStaff = ({ column }: Asked): boolean => column === "operator";
      // An organisation with other members keeps its owner: before theirs go.
      const others = deletion.filter(({ column }) => column !== "owner" && column !== "in none");
      const owners = deletion.filter((asked) => !others.includes(asked));
      // So many at once of an organisation would be refused for that.
      const isExport = ({ row }: Asked): boolean => row.endpoint.tags.includes("limit:export");
      const exports = lasting.filter(isExport);
      const manyAtOnce = lasting.filter((asked) => !isExport(asked));
      const told = [
        ...(await complaintsOf(exports, world.tokens, 1)),
        ...(await complaintsOf([...manyAtOnce, ...operators.filter((asked) => !isStaff(asked))], world.tokens)),
        ...(await complaintsOf(logout, world.tokens)),
        ...(await complaintsOf(ending, world.lastTokens)),
        ...(await complaintsOf(owners, world.lastTokens)),
        ...(await complaintsOf(others, world.lastTokens)),
        ...(await complaintsOf(operators.filter(isStaff), world.tokens)),
      ];
      expect(told).toEqual([]);
      const asked = [lasting, logout, ending, deletion, operators].flat();
      expect(asked.length).toBe(rows.length * columns.length);
      expect(rows.length).toBeGreaterThan(120);
    });
  });
}
