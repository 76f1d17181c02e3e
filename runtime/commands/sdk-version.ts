// Which versions of encore.dev this host runs: those of the last two years. What an older one asks of its native module is not known.
import { installedFolder, readManifest } from "./workspace-packages";
import { UsageError } from "./app-root";

const oldest = [1, 43] as const;

/** @throws UsageError naming the remedy; an SDK that is not installed is the parser's business */
export function checkSdkVersion(root: string): void {
  const folder = installedFolder("encore.dev", root);
  const version = folder === undefined ? undefined : readManifest(folder)?.version;
  const [, major = "", minor = ""] = /^(\d+)\.(\d+)\./.exec(version ?? "") ?? [];
  if (version === undefined || major === "") return;
  const isOld = Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1]);
  if (isOld)
    throw new UsageError(
      `encore.dev ${version} is older than ${oldest.join(".")}, the oldest version that this host runs: \`npm install encore.dev@latest\``,
    );
}
