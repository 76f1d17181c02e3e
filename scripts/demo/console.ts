// The way into the console: what the command beside the running app prints.
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const LINK = /\/console#gwl_[\w-]{43}/;
const COMMAND_MS = 30_000;

/** With a link that opens it signed in; without one where none is made, as in production. */
export async function findConsolePath(): Promise<string> {
  const folder = dirname(process.argv[1] ?? "");
  const command = [process.execPath, join(folder, "admin.js"), "operator", "link"];
  const words = [join(folder, "cli.js"), "exec", "--beside", "--", ...command];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: COMMAND_MS });
    return LINK.exec(stdout)?.[0] ?? "/console";
  } catch {
    return "/console";
  }
}
