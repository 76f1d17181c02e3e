// What `run --watch` hears of the app's folder: that a source changed, once per burst. By chokidar: node's own recursive
// watch ends the process when a folder that it has just seen is gone again (node 20), which writing encore.gen/ brings about.
import { extname, join, relative } from "node:path";
import { type FSWatcher, watch } from "chokidar";

const watchedExtensions = new Set([
  ".sql",
  ".app",
  ".cue",
  ".ts",
  ".js",
  ".tsx",
  ".jsx",
  ".mts",
  ".mjs",
  ".cjs",
  ".cts",
]);
const ignored = /(^|\/)(node_modules|encore\.gen|dist|__tests__|\.[^/]+)(\/|$)/;
/** A burst (a formatter after the editor, a change of branches) is over after this long without another event. */
const settleMs = 20;

/** The part of a path that says what it is: `root` may lie below a hidden folder, and sources of the workspace beside it. */
const below = (root: string, path: string): string => relative(root, path).replace(/^(?:\.\.\/)+/, "");

const isWatched = (file: string): boolean =>
  watchedExtensions.has(extname(file)) && !ignored.test(file) && !/\.(test|spec)\.[jt]s$/.test(file);

/**
 * Calls `changed` after changes of sources below `root`, except in `stateDir`, and below what is added to the watcher; resolves
 * when it sees them.
 * @param failed called when a part of the folder cannot be watched
 */
export async function watchSources(
  root: string,
  stateDir: string,
  changed: () => void,
  failed: (reason: string) => void,
): Promise<FSWatcher> {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(root, {
    ignoreInitial: true,
    ignored: (path) => path === stateDir || ignored.test(below(root, path)),
  });
  const saw = (path: string): void => {
    if (!isWatched(below(root, path))) return;
    clearTimeout(timer);
    timer = setTimeout(changed, settleMs);
  };
  watcher.on("all", (_event, path) => saw(path));
  // chokidar drops what happens to a file within 50 ms after a change of it, the last change too (its issue 1455): an editor's
  // second save would never be built. The events below its own say everything, of a file or of a folder and a name in it.
  watcher.on("raw", (_event, name: string | null, details) => {
    // (A polled file has no such detail, and a name that is a path.)
    const { watchedPath = name ?? root } = details as { watchedPath?: string };
    saw(watchedPath);
    if (name !== null) saw(join(watchedPath, name));
  });
  watcher.on("error", (error) => failed(error instanceof Error ? error.message : String(error)));
  await new Promise<void>((resolve) => void watcher.once("ready", resolve));
  return watcher;
}
