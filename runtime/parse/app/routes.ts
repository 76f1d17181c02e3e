// Conflicts between the paths of one service, per method (L-28), by the rules of the router Encore checks with: names of parameters
// do not tell paths apart, and a parameter and a catch-all exclude each other at one place.
const CONFLICT = "api endpoints with conflicting paths defined";

/** What is wrong with a path by itself. */
function ownProblem(path: string): string | undefined {
  for (const { 0: dynamic, index } of path.matchAll(/[:*][^/]*/g)) {
    if (/[:*]/.test(dynamic.slice(1))) return "only one parameter is allowed per path segment";
    if (dynamic.length === 1) return "parameters must be registered with a name";
    if (dynamic.startsWith("*") && path.charAt(index - 1) !== "/")
      return "catch-all parameters are only allowed at the end of a route";
  }
  return undefined;
}

export class RouteTable {
  /** Text before a dynamic segment → that segment. */
  readonly #dynamic = new Map<string, string>();
  readonly #complete = new Set<string>();

  /** What is wrong with adding `path`, or undefined when it was added. */
  add(path: string): string | undefined {
    const problem = ownProblem(path);
    if (problem !== undefined) return problem;
    let parameters = 0;
    const normal = path.replaceAll(/:[^/]*/g, () => `:${parameters++}`);
    const steps = this.#steps(normal);
    for (const [before, token] of steps) {
      const present = this.#dynamic.get(before);
      if (present !== undefined && (present !== token || token.startsWith("*"))) return CONFLICT;
    }
    if (this.#complete.has(normal)) return CONFLICT;
    for (const [before, token] of steps) this.#dynamic.set(before, token);
    this.#complete.add(normal);
    return undefined;
  }

  #steps(path: string): [before: string, token: string][] {
    return [...path.matchAll(/[:*][^/]*/g)].map((match) => [path.slice(0, match.index), match[0]]);
  }
}
