// The process that a command starts for a cold parse: one app root as argument, the outcome as the answer. The model
// itself goes through the cache.
import { parseAppCached } from "./refresh";

const [root] = process.argv.slice(2);
if (root === undefined || !process.send) throw new Error("parse/child.ts is started by a command, with an app's folder");

const result = parseAppCached(root);
process.send(result.ok ? { ok: true } : { ok: false, errors: result.errors }, () => process.disconnect());
