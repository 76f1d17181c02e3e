// A small app of our own parts without a database: configuration, guard, telemetry service and the mailbox as they are, a
// gateway that takes a name as its token, and streams of every kind. For what only shows between guard and host.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type AppOptions, type PreparedApp, prepareApp } from "../../../http/__tests__/support/app-process";
import { root } from "../../../http/__tests__/support/repository-root";

const OWN_PARTS = ["config", "security", "telemetry", "db", "mail", "database.ts", "migrations"];
/** The generated client stays behind, and a service that would wait for its database has another beginning below. */
const LEFT_OUT = ["db/prisma.ts", "mail/encore.service.ts"];
const isTaken = (from: string): boolean =>
  !from.endsWith("__tests__") && !LEFT_OUT.some((path) => from === join(root, path));

const gateway = `import { Gateway, type Cookie, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
import { commonErrors } from "../security/common-errors";
import { refuseForeignHandshake } from "../security/csrf";
import type { AuthData } from "../security/principal";
interface Credentials { authorization?: Header<"Authorization">; session?: Cookie<string, "session">; webSocketKey?: Header<"Sec-WebSocket-Key">; origin?: Header<"Origin">; fetchSite?: Header<"Sec-Fetch-Site">; host?: Header<"X-Forwarded-Host">; }
export const authenticate = authHandler<Credentials, AuthData>(async (credentials) => {
  const { authorization, session } = credentials;
  const isCookie = authorization === undefined || authorization === "";
  if (isCookie && session !== undefined) refuseForeignHandshake(credentials);
  const token = isCookie ? session?.value : /^Bearer (\\w+)$/.exec(authorization)?.[1];
  if (token === undefined) throw commonErrors.unauthenticated();
  return { userID: "5c0ad5f3-0d3c-4ae2-8a5f-0a4a9ff1b001", tenantId: "5c0ad5f3-0d3c-4ae2-8a5f-0a4a9ff1b002", sessionId: "5c0ad5f3-0d3c-4ae2-8a5f-0a4a9ff1b003", role: "member" };
});
export const gateway = new Gateway({ authHandler: authenticate });
`;

/** Every kind of stream for everybody and for who is signed in; \`opened\` names those whose handlers ran. */
const streams = `import { api } from "encore.dev/api";
interface Word { word: string }
interface Names { names: string[] }
const ran: string[] = [];
export const publicIn = api.streamIn<Word, Word>({ expose: true, path: "/public/in", tags: ["public:test"] }, async (s) => { ran.push("public/in"); return { word: (await s.recv()).word }; });
export const publicOut = api.streamOut<Word>({ expose: true, path: "/public/out", tags: ["public:test"] }, async (s) => { ran.push("public/out"); await s.send({ word: "hi" }); await s.close(); });
export const publicInOut = api.streamInOut<Word, Word>({ expose: true, path: "/public/both", tags: ["public:test"] }, async (s) => { ran.push("public/both"); await s.send(await s.recv()); await s.close(); });
export const ownIn = api.streamIn<Word, Word>({ expose: true, auth: true, path: "/own/in", tags: ["self"] }, async (s) => { ran.push("own/in"); return { word: (await s.recv()).word }; });
export const ownOut = api.streamOut<Word>({ expose: true, auth: true, path: "/own/out", tags: ["self"] }, async (s) => { ran.push("own/out"); await s.send({ word: "hi" }); await s.close(); });
export const ownInOut = api.streamInOut<Word, Word>({ expose: true, auth: true, path: "/own/both", tags: ["self"] }, async (s) => { ran.push("own/both"); await s.send(await s.recv()); await s.close(); });
export const closedIn = api.streamIn<Word, Word>({ expose: true, path: "/closed/in" }, async (s) => { ran.push("closed/in"); return { word: (await s.recv()).word }; });
export const closedOut = api.streamOut<Word>({ expose: true, path: "/closed/out" }, async (s) => { ran.push("closed/out"); await s.send({ word: "hi" }); });
export const closedInOut = api.streamInOut<Word, Word>({ expose: true, path: "/closed/both" }, async (s) => { ran.push("closed/both"); await s.send(await s.recv()); });
export const opened = api({ expose: true, method: "GET", path: "/opened", tags: ["public:test"] }, async (): Promise<Names> => ({ names: ran.splice(0) }));
export const page = api({ expose: true, method: "GET", path: "/page", tags: ["public:test", "limit:auth"] }, async (): Promise<void> => undefined);
`;

const files: Record<string, string> = {
  "encore.app": `{ "id": "", "lang": "typescript" }\n`,
  "package.json": `{ "name": "guarded", "private": true, "type": "module" }\n`,
  "doors/encore.service.ts": `import { Service } from "encore.dev/service";
import { guardOf } from "../security/guard";
export default new Service("doors", { middlewares: guardOf("doors") });
`,
  "mail/encore.service.ts": `import { Service } from "encore.dev/service";
import { guardOf } from "../security/guard";
export default new Service("mail", { middlewares: guardOf("mail") });
`,
  "doors/gateway.ts": gateway,
  "doors/streams.ts": streams,
};

/** Builds it; each start is a process of its own on the same port. */
export async function prepareGuardedApp(options: AppOptions = {}): Promise<PreparedApp> {
  const folder = mkdtempSync(join(tmpdir(), "gw-guarded-"));
  try {
    for (const part of OWN_PARTS)
      cpSync(join(root, part), join(folder, part), {
        recursive: true,
        filter: isTaken,
      });
    cpSync(join(root, "tsconfig.json"), join(folder, "tsconfig.json"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return await prepareApp(folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
