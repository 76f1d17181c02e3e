// One file being searched for resources, and the shape of what searches it.
import { declaringScope } from "../source/bindings";
import { docOf } from "../source/comments";
import type { Diagnostics } from "../errors";
import type { Files } from "../source/files";
import { spotOf, type SourceModule } from "../source/modules";
import type { Declared } from "../source/scope";
import { bindName, type BindName } from "../source/references";
import { ts, type TypeScript } from "../typescript";
import type { Evaluator } from "../types/evaluator";
import type { PendingBind, Resource, TypeAt } from "./resource";

export interface ResourceFinder {
  /** Looked for in files that import this. */
  specifier: string;
  find(pass: Pass): void;
}

export class Pass {
  readonly resources: Resource[] = [];
  readonly binds: PendingBind[] = [];

  constructor(
    readonly module: SourceModule,
    readonly evaluator: Evaluator,
    readonly diagnostics: Diagnostics,
    readonly files: Files,
    /** The strong service that the walk is in. */
    public serviceName: string | undefined,
  ) {}

  doc(node: TypeScript.Node): string | undefined {
    return docOf(node);
  }

  typeAt(node: TypeScript.TypeNode): TypeAt {
    return { type: this.evaluator.typeIn(node, this.module), node };
  }

  /** Runs `work` on each item; a refusal ends the work on that item only. */
  each<T>(items: readonly T[], work: (item: T) => void): void {
    for (const item of items) this.diagnostics.attempt(() => work(item));
  }

  /** Adds a resource under the name that its expression is bound to. */
  add(resource: Resource & { node: TypeScript.Expression }, name: BindName = bindName(resource.node)): void {
    this.resources.push(resource);
    this.#bind(resource, resource.node, name, false);
  }

  /** Adds a reference by name, `X.named("…")`. */
  addNamed(of: "database" | "bucket" | "cluster", name: string, node: TypeScript.Expression): void {
    this.#bind({ kind: "by name", of, name }, node, bindName(node), true);
  }

  /** Encore knows variables at the top of a file only; one inside a function is unknown to it. */
  #declaredAs(bound: BindName): Declared | undefined {
    if (bound.kind !== "named") return undefined;
    const { id } = bound;
    const found = this.module.scope.topLevel.get(id.text);
    const isThis = found?.node.pos !== undefined && id.pos >= found.node.pos && id.end <= found.node.end;
    // A second declaration of a name means the first.
    if (isThis || (found && ts.isSourceFile(declaringScope(id)))) return found;
    this.diagnostics.report("unknown identifier", spotOf(id), {
      remedy: "Declare it at the top of the file, outside of functions.",
    });
    return undefined;
  }

  #bind(resource: PendingBind["resource"], node: TypeScript.Expression, bound: BindName, reference: boolean): void {
    const { module } = this;
    const id = bound.kind === "named" && bound.id.text !== "_" ? bound.id : undefined;
    const name = bound.kind === "default" ? "default" : id?.text;
    const declared = bound.kind === "default" ? module.scope.defaultExport : this.#declaredAs(bound);
    this.binds.push({ resource, module, node, name, id, declared, reference });
  }
}
