// What is done by command on the machine of a running app, as its owner does it: each a process of its own.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../../http/__tests__/support/repository-root";

const [cli, adminProgram] = [join(root, "dist/cli.js"), join(root, "dist/admin.js")];

export interface CommandsBeside {
  /** `npm run admin -- …`; resolves with what it printed. */
  admin(...words: string[]): Promise<string>;
  /** `groundwork sql --write`: statements by a login that row security does not hold. */
  sql(script: string): Promise<string>;
}

/**
 * @param stateDir of the app
 * @param parts its own database and key, where it has some
 */
export function commandsBeside(stateDir: string, parts: Record<string, string> = {}): CommandsBeside {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, GROUNDWORK_STATE_DIR: stateDir, ...parts };
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [cli, ...args], { cwd: root, env })).stdout;
  return {
    admin: (...words) => run("exec", "--beside", "--", process.execPath, adminProgram, ...words),
    sql: (script) => run("sql", "--write", "-c", script),
  };
}
