// Which endpoint answers a path (contract 3.2): a tree of path segments where a literal beats a parameter and a
// parameter beats the rest of the path, with a table in front for paths without parameters. Fallback routes are a
// second tree.
import type { PathSegment } from "../model";

export interface Match<T> {
  route: T;
  /** The raw texts of the parameters; undefined for a catch-all that caught nothing. */
  params: (string | undefined)[];
}

interface Node<T> {
  literals: Map<string, Node<T>>;
  param?: Node<T>;
  rest?: T;
  leaf?: T;
}

const NO_PARAMS: string[] = [];

function createNode<T>(): Node<T> {
  return { literals: new Map() };
}

/** Routes by path alone. `T` collects what is known of one path, its methods for instance. */
export class PathTree<T> {
  private readonly root = createNode<T>();
  private readonly fixed = new Map<string, Match<T>>();

  constructor(private readonly create: () => T) {}

  /** The entry of a path pattern, made when it is new. Parameter names do not matter. */
  entry(path: readonly PathSegment[]): T {
    let node = this.root;
    for (const [index, segment] of path.entries()) {
      if (segment.kind === "wildcard" || segment.kind === "fallback") {
        this.fixed.delete(
          `/${path
            .slice(0, index)
            .map((s) => `${s.value}/`)
            .join("")}`,
        );
        return (node.rest ??= this.create());
      }
      if (segment.kind === "param") node = node.param ??= createNode();
      else node = this.literal(node, segment.value);
    }
    const leaf = (node.leaf ??= this.create());
    const isFixed = path.every((s) => s.kind === "literal");
    if (isFixed) this.fix(`/${path.map((s) => s.value).join("/")}`, leaf, node.rest === undefined);
    return leaf;
  }

  private literal(node: Node<T>, text: string): Node<T> {
    let next = node.literals.get(text);
    if (!next) node.literals.set(text, (next = createNode()));
    return next;
  }

  /** A route also answers with a slash at its end (H-14), unless another route does. */
  private fix(path: string, route: T, slash: boolean): void {
    const match = { route, params: NO_PARAMS };
    this.fixed.set(path, match);
    if (slash && path !== "/" && !this.fixed.has(`${path}/`)) this.fixed.set(`${path}/`, match);
  }

  find(path: string): Match<T> | undefined {
    return this.fixed.get(path) ?? (path.startsWith("/") ? this.walk(this.root, path, 1, NO_PARAMS) : undefined);
  }

  private walk(node: Node<T>, path: string, start: number, params: (string | undefined)[]): Match<T> | undefined {
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    const isLast = slash < 0;
    const segment = path.slice(start, end);
    if (node.literals.size > 0) {
      // The root is a slash already: `//` is not the root with a slash more.
      const next = segment === "" && !isLast ? undefined : node.literals.get(segment);
      const match = next && this.follow(next, path, isLast ? -1 : end + 1, params);
      if (match) return match;
    }
    if (node.param && !(isLast && segment === "")) {
      const match = this.follow(node.param, path, isLast ? -1 : end + 1, [...params, segment]);
      if (match) return match;
    }
    if (node.rest === undefined) return undefined;
    return { route: node.rest, params: [...params, start === path.length ? undefined : path.slice(start)] };
  }

  /** Goes on behind a segment; `start` is -1 at the end of the path. */
  private follow(node: Node<T>, path: string, start: number, params: (string | undefined)[]): Match<T> | undefined {
    const atEnd = start < 0 || (start === path.length && node.rest === undefined && !node.literals.has(""));
    const leaf = atEnd ? node.leaf : undefined;
    if (leaf !== undefined) return { route: leaf, params };
    return start < 0 ? undefined : this.walk(node, path, start, params);
  }
}

export type Methods<E> = Map<string, E>;

export type Routed<E> =
  | { kind: "found"; endpoint: E; params: (string | undefined)[] }
  /** The path is another method's, and only a fallback route has this method (H-12). */
  | { kind: "notAllowed"; allow: string[] }
  /** `isKnown`: the path exists, with other methods. */
  | { kind: "noRoute"; isKnown: boolean };

export class Router<E> {
  private readonly main = new PathTree<Methods<E>>(() => new Map());
  private readonly fallback = new PathTree<Methods<E>>(() => new Map());

  add(path: readonly PathSegment[], methods: readonly string[], endpoint: E): void {
    const isFallback = path.at(-1)?.kind === "fallback";
    const entry = (isFallback ? this.fallback : this.main).entry(path);
    for (const method of methods) if (!entry.has(method)) entry.set(method, endpoint);
  }

  find(method: string, path: string): Routed<E> {
    const main = this.main.find(path);
    const endpoint = main?.route.get(method);
    if (main && endpoint !== undefined) return { kind: "found", endpoint, params: main.params };
    const other = this.fallback.find(path);
    const fallback = other?.route.get(method);
    if (other && fallback !== undefined) {
      if (!main) return { kind: "found", endpoint: fallback, params: other.params };
      return this.shadowed(main, method);
    }
    return { kind: "noRoute", isKnown: main !== undefined || other !== undefined };
  }

  private shadowed({ route, params }: Match<Methods<E>>, method: string): Routed<E> {
    const get = route.get("GET");
    if (method === "HEAD" && get !== undefined) return { kind: "found", endpoint: get, params };
    const allow = [...route.keys()].flatMap((m) => (m === "GET" && !route.has("HEAD") ? ["GET", "HEAD"] : [m]));
    return { kind: "notAllowed", allow };
  }
}
