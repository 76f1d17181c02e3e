// The "exports" of a package.json as Encore reads them: conditions in alphabetical order, whatever their order in the file, and the
// first active one decides, even when it leads nowhere.
const ACTIVE = new Set(["bun", "deno", "types", "node-addons", "node", "import", "require", "default"]);

/** null excludes a path. */
export type Target = string | null | { [condition: string]: Target };

export type Exports = Record<string, Target>;

const isTarget = (value: unknown): value is Target =>
  typeof value === "string" ||
  value === null ||
  (typeof value === "object" && !Array.isArray(value) && Object.values(value).every(isTarget));

/** The table of subpaths; undefined when the value has another form. */
export function readExports(value: unknown): Exports | undefined {
  if (!isTarget(value) || value === null) return undefined;
  if (typeof value === "string") return { ".": value };
  const [first] = Object.keys(value);
  return first === undefined || first.startsWith(".") ? value : { ".": value };
}

const sorted = <T>(table: Record<string, T>): [string, T][] =>
  Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));

function select(target: Target): string | null | undefined {
  if (target === null || typeof target === "string") return target;
  const active = sorted(target).find(([condition]) => ACTIVE.has(condition));
  return active && select(active[1]);
}

/** What stands for the `*` of a pattern in `subpath`. */
function starOf(pattern: string, subpath: string): string | undefined {
  const at = pattern.indexOf("*");
  if (at < 0) return undefined;
  const [prefix, suffix] = [pattern.slice(0, at), pattern.slice(at + 1)];
  const fits =
    subpath.startsWith(prefix) && subpath.endsWith(suffix) && subpath.length >= prefix.length + suffix.length;
  return fits ? subpath.slice(prefix.length, subpath.length - suffix.length) : undefined;
}

/** The file that `subpath` ("" for the package itself) leads to, relative to the package; undefined for none. */
export function exportedFile(exports: Exports, subpath: string): string | undefined {
  let found: string | undefined;
  for (const [key, target] of sorted(exports)) {
    const pattern = key === "." ? "" : key.replace(/^\.\//, "");
    if (pattern === subpath) return select(target) ?? undefined;
    const star = key === "." ? undefined : starOf(pattern, subpath);
    const selected = star === undefined ? undefined : select(target);
    if (selected === null) return undefined;
    if (selected !== undefined && star !== undefined) found ??= selected.replaceAll("*", star);
  }
  return found;
}
