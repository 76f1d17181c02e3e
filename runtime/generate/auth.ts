// `~encore/auth`: the type of the auth handler's data and the way to it (G-2).
import type { AppModel } from "../model";
import { importPath, type GeneratedFile } from "./code";

const FILE = "internal/auth/auth.ts";

const CALL_OPTS = `
declare module "encore.dev/api" {
  interface CallOpts {
    authData?: AuthData;
  }
}
`;

const WITHOUT_HANDLER = `export type AuthData = null;

export function getAuthData(): AuthData | null {
  throw new Error("authData cannot be called when there are no auth handlers.");
}
`;

function withHandler(exportName: string, from: string): string {
  return `import { getAuthData as currentAuthData } from "encore.dev/internal/codegen/auth";
import type { ${exportName} as authHandler } from ${from};

export type AuthData = Awaited<ReturnType<typeof authHandler>>;

export function getAuthData(): AuthData | null {
  return currentAuthData();
}
`;
}

export function authFiles(model: AppModel): GeneratedFile[] {
  const handler = model.authHandler;
  const body = handler ? withHandler(handler.exportName, importPath(FILE, handler.place.file, ".js")) : WITHOUT_HANDLER;
  return [
    { path: "auth/index.ts", contents: `export { type AuthData, getAuthData } from "../internal/auth/auth";\n` },
    { path: FILE, contents: body + CALL_OPTS },
  ];
}
