// The way into the console: what the command beside the running app prints.
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const LINK = /\/console#gwl_[\w-]{43}/;
const COMMAND_MS = 30_000;

/** A line for people: a link that opens it signed in, or how to get in where none is made, as in production. */
export async function describeConsole(baseUrl: string): Promise<string> {
  const link = await makeLink();
  return link === undefined
    ? `${baseUrl}/console (npm run admin -- operator link says why no link opens it signed in, operator add EMAIL makes an operator)`
    : `${baseUrl}${link} (signed in, once, for ten minutes; npm run admin -- operator link prints another)`;
}

async function makeLink(): Promise<string | undefined> {
  const folder = dirname(process.argv[1] ?? "");
  const command = [process.execPath, join(folder, "admin.js"), "operator", "link"];
  const words = [join(folder, "cli.js"), "exec", "--beside", "--", ...command];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: COMMAND_MS });
    return LINK.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}
