// docs/errors.md and the catalogues say the same, in both directions. After a change of a catalogue `npm run gen`
// writes the page anew.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { catalogueOf, statusOfClass, type ErrorCatalogue } from "../security/errors";

const root = join(import.meta.dirname, "..");
const page = join(root, "docs", "errors.md");

async function loadCatalogues(): Promise<ErrorCatalogue[]> {
  const folders = [...foldersIn("."), ...foldersIn("services")];
  const files = ["security/common-errors.ts", ...folders.map((folder) => join(folder, "errors.ts"))].filter((file) =>
    existsSync(join(root, file)),
  );
  const modules = await Promise.all(
    files.map((file) => import(pathToFileURL(join(root, file)).href) as Promise<Record<string, unknown>>),
  );
  const found = modules
    .flatMap((module) => Object.values(module))
    .map((value) => catalogueOf(value))
    .filter((catalogue) => catalogue !== undefined);
  return [...new Set(found)].sort(
    (a, b) => Number(b.service === "common") - Number(a.service === "common") || a.service.localeCompare(b.service),
  );
}

/** Folders of the app below `parent`; the host, generated code and packages are none of it. */
function foldersIn(parent: string): string[] {
  if (!existsSync(join(root, parent))) return [];
  const entries = readdirSync(join(root, parent), { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && /^[a-z]+$/.test(entry.name),
  );
  return entries
    .map((entry) => join(parent, entry.name))
    .filter((folder) => !["runtime", "dist", "coverage"].includes(folder));
}

const intro = `# Errors

Every error answer has one shape: Encore's \`{code, message, details}\` with \`details = {reason, requestId, fields?, retryAfterSeconds?, retryable?}\`.

- \`code\` is the class and decides the HTTP status; \`details.reason\` is the code from the tables below. It is stable: branch on it, never on the message.
- \`details.requestId\` equals the answer's \`x-encore-trace-id\` header and the \`requestId\` of every log line of that request. It is empty where the gateway refuses the credentials themselves: take the header.
- Credentials go in the header \`Authorization: Bearer <access token or API key>\`; what comes in another form is \`unauthenticated\` or \`invalid_token\`. Where sign-in asks for a second factor, \`totp\` in \`details.methods\` is sent as \`code\`, \`recovery-code\` as \`recoveryCode\`.
- \`details.fields\` names each wrong field and what is wrong with it. \`details.retryAfterSeconds\` says when trying again makes sense; \`details.retryable: false\`
  (header \`x-should-retry: false\`), that it may pay for something a second time.
- A thing of another organisation and a thing that does not exist answer the same.

**Which 400 is which.** What this application checks itself answers \`invalid_argument\` with \`details.reason\` and \`details.fields\` (\`invalid_request\`, or a code of
the tables below). What Encore's decoder refuses before any code of ours runs, because a body, parameter or header does not fit the endpoint's declared types and
lengths, answers \`invalid_argument\` with \`details: null\`: its form is Encore's, and its message names the place. So a client that finds \`details\` reads
\`details.fields\`, and otherwise shows \`message\`. Of the same kind are \`unauthenticated\` (no or unusable credentials) and \`not_found\` (no such route) with \`details: null\`.

**Another shape, for who asks for it.** With the header \`x-error-format: envelope\` errors are \`{error: {code, message, details}}\`, where \`details\` is as above and \`code\` is \`VALIDATION_ERROR\` (400, where the request itself is wrong), \`UNAUTHORIZED\` (401), \`NOT_FOUND\` (404),
\`DB_TIMEOUT\` (408 instead of 504), \`INTERNAL_ERROR\` (500), and for all others \`details.reason\` in capitals (\`PERMISSION_DENIED\`, \`SKU_TAKEN\`), with their status as below. The plain-Node host renders it (\`runtime/http/error-envelope.ts\`); under Encore's own runtime errors keep their one shape.

This page is written from the catalogues (\`security/common-errors.ts\`, \`<service>/errors.ts\`) and held to them by \`__tests__/errors.test.ts\`.
`;

function render(catalogues: readonly ErrorCatalogue[]): string {
  const sections = catalogues.map(({ service, entries }) => {
    const rows = Object.entries(entries).map(
      ([code, entry]) =>
        `| \`${code}\` | \`${entry.class}\` | ${statusOfClass[entry.class]} | ${entry.text} | ${entry.retryable === true ? "yes" : "no"} | ${entry.remedy ?? ""} |`,
    );
    const title = service === "common" ? "Every service" : `\`${service}\``;
    return `## ${title}\n\n| reason | class | HTTP | meaning | retry | remedy |\n|---|---|---|---|---|---|\n${rows.join("\n")}\n`;
  });
  return [intro, ...sections].join("\n");
}

describe("the error catalogues", async () => {
  const catalogues = await loadCatalogues();

  test("are found: the common one and one of each service that has an errors.ts", () => {
    expect(catalogues.map(({ service }) => service)).toEqual(expect.arrayContaining(["common", "telemetry"]));
  });

  test("are what docs/errors.md lists, no more and no less (else: npm run gen)", async () => {
    await expect(render(catalogues)).toMatchFileSnapshot(page);
  });

  test("give each code one meaning, a text for people and a remedy", () => {
    const meanings = new Map<string, string>();
    const all = catalogues.flatMap(({ entries }) => Object.entries(entries));
    for (const [code, entry] of all) {
      const meaning = `${entry.class}: ${entry.text}`;
      expect({ code, meaning: meanings.get(code) ?? meaning }).toEqual({ code, meaning });
      meanings.set(code, meaning);
    }
    for (const { service, entries } of catalogues) {
      for (const [code, entry] of Object.entries(entries)) {
        expect({
          service,
          code,
          text: /^[a-z].{5,}[^.]$/.test(entry.text),
          remedy: /^[A-Z].{5,}\.$/.test(entry.remedy ?? ""),
        }).toEqual({ service, code, text: true, remedy: true });
      }
    }
  });
});
