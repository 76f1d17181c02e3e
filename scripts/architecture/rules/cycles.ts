// No import cycles, types included: files in a cycle can only be read, tested and moved together.
import { isTest, type Project, type Rule, type Violation } from "../project";
import { HOST_ROOM } from "../rooms";

/** Strongly connected components with more than one file (Tarjan 1972), without recursion limits in mind: chains are short. */
export function cyclesOf(graph: Map<string, string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const found: string[][] = [];

  const visit = (node: string): void => {
    const own = index.size;
    index.set(node, own);
    low.set(node, own);
    stack.push(node);
    onStack.add(node);
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (onStack.has(next)) low.set(node, Math.min(low.get(node) ?? own, low.get(next) ?? own));
    }
    if (low.get(node) !== own) return;
    const members = stack.splice(stack.indexOf(node));
    for (const member of members) onStack.delete(member);
    if (members.length > 1) found.push(members.sort());
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}

/** The host's folder that a file stands in; a file directly in the host's room is a room of its own. */
const hostFolder = (path: string): string => path.split("/").slice(0, 2).join("/");

/** The same graph, by folders of the host: between rooms of the application the layers rule already forbids circles. */
function hostFolders(files: Map<string, string[]>): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  const inHost = (path: string): boolean => path.startsWith(`${HOST_ROOM}/`);
  for (const [file, targets] of files) {
    if (!inHost(file)) continue;
    const from = hostFolder(file);
    const to = targets
      .filter(inHost)
      .map(hostFolder)
      .filter((folder) => folder !== from);
    folders.set(from, [...(folders.get(from) ?? []), ...to]);
  }
  return folders;
}

function check(project: Project): Violation[] {
  const graph = new Map<string, string[]>();
  for (const source of project.sources.values()) {
    if (isTest(source.path)) continue;
    graph.set(
      source.path,
      source.imports.flatMap(({ target }) => (target !== undefined && project.sources.has(target) ? [target] : [])),
    );
  }
  return [...cyclesOf(graph), ...cyclesOf(hostFolders(graph))].map((members) => ({
    rule: "cycles",
    file: members[0] ?? "",
    line: 1,
    message: `import cycle: ${members.join(" ⇄ ")}; move what they share into a leaf`,
  }));
}

export const cycles: Rule = {
  name: "cycles",
  promise: "no files, and no folders of runtime/, import one another in a circle, type imports included",
  check,
};
