// The process in which `run --watch` runs the app. It loads the app's packages before it is needed, and the app itself when it is
// told to; that the address is shared with the process before it is node:cluster's work.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

export interface AppStart {
  /** Absolute path of the app's bundle. */
  bundle: string;
  /** Environment on top of this process's. */
  env: Record<string, string>;
}

const [native, preload] = process.argv.slice(2) as [string, string];

process.once("message", ({ bundle, env }: AppStart) => {
  Object.assign(process.env, env);
  // The app's own errors name it; nothing here could say more.
  void import(pathToFileURL(bundle).href);
});
process.send?.("ready");
createRequire(import.meta.url)(native);
await import(pathToFileURL(preload).href).catch(() => undefined);
