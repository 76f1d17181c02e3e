// The process and its machine: Node, the state folder, the port.
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { error, type Check, type Finding, warning } from "./finding";

const OLDEST = [20, 19] as const;
/** Lines that get security fixes (github.com/nodejs/release); an odd one ends half a year after its begin. */
const SUPPORTED_LINES = [22, 24, 26];
const FREE_SHARE_MIN = 0.05;

export const node: Check = ({ nodeVersion }) => {
  const [line = 0, minor = 0] = nodeVersion.replace(/^v/, "").split(".").map(Number);
  if (line < OLDEST[0] || (line === OLDEST[0] && minor < OLDEST[1]))
    return [
      error(
        "node_too_old",
        `Node ${nodeVersion} does not run this app`,
        `Install Node 24 (at least ${OLDEST.join(".")}).`,
      ),
    ];
  if (SUPPORTED_LINES.includes(line)) return [];
  return [warning("node_unsupported", `Node ${line} gets no security fixes`, "Install Node 24, the long-term line.")];
};

/** The folder, or the nearest above it that is there. */
function existing(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : existing(dirname(folder));
}

export const stateFolder: Check = ({ stateDir }) => {
  const folder = existing(stateDir);
  try {
    accessSync(`${folder}/.`, constants.W_OK); // "." is in a folder only
  } catch {
    return [
      error(
        "state_not_writable",
        `${folder} cannot be written: buckets on disk, drafts and locks are kept in ${stateDir}`,
        "Give it to the user that runs the app (chown), or name another folder with GROUNDWORK_STATE_DIR.",
      ),
    ];
  }
  const { bavail, blocks } = statfsSync(folder);
  if (blocks === 0 || bavail / blocks >= FREE_SHARE_MIN) return [];
  return [
    warning(
      "disk_almost_full",
      `the disk of ${folder} has ${Math.floor((bavail / blocks) * 100)} % left`,
      "Make room, or move the state folder: a full disk stops the embedded database and uploads.",
    ),
  ];
};

/** What is listening there is the installation itself, when it runs. */
export const port: Check = async ({ listen, isRunning }): Promise<Finding[]> => {
  if (isRunning || listen.port === 0) return [];
  const server = createServer();
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve);
    server.listen(listen.port, listen.host, () => resolve(undefined));
  });
  if (!failure) {
    await new Promise((resolve) => server.close(resolve));
    return [];
  }
  return [
    error(
      "port_taken",
      `the app cannot listen at ${listen.host}:${listen.port} (${failure.code ?? failure.message})`,
      "End the program that has the port, or give the app another one with PORT.",
    ),
  ];
};
