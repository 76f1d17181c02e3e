// Syntax trees. A process that parses an app again and again (`run --watch`) keeps the trees of files whose text
// is the same; nothing writes into a tree, so parses can share it.
import { ts, type TypeScript } from "../typescript";

const kept = new Map<string, TypeScript.SourceFile>();

/** The tree of `text`, with parents; its `fileName` is `path`. */
export function syntaxTree(path: string, text: string): TypeScript.SourceFile {
  const known = kept.get(path);
  if (known?.text === text) return known;
  const tree = ts.createSourceFile(path, text, { languageVersion: ts.ScriptTarget.ESNext }, true);
  kept.set(path, tree);
  return tree;
}
