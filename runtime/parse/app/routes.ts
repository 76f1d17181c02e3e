// Conflicts between the paths of one service, per method (L-28), by the rules of the router Encore checks with: at one
// place in a path there is one parameter name, and a parameter and a catch-all exclude each other there.
export class RouteTable {
  /** Text before a dynamic segment → that segment. */
  readonly #dynamic = new Map<string, string>();
  readonly #complete = new Set<string>();

  /** What is wrong with adding `path`, or undefined when it was added. */
  add(path: string): "conflict" | "two parameters" | undefined {
    if (/:[^/]*[:*]/.test(path)) return "two parameters";
    const steps = this.#steps(path);
    for (const [before, token] of steps) {
      const present = this.#dynamic.get(before);
      if (present !== undefined && (present !== token || token.startsWith("*"))) return "conflict";
    }
    if (this.#complete.has(path)) return "conflict";
    for (const [before, token] of steps) this.#dynamic.set(before, token);
    this.#complete.add(path);
    return undefined;
  }

  #steps(path: string): [before: string, token: string][] {
    return [...path.matchAll(/[:*][^/]*/g)].map((match) => [path.slice(0, match.index), match[0]]);
  }
}
