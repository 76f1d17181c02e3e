// `api.static` (L-30): the folder and the page for what is not found have to be there.
import { dirname, join } from "node:path";
import type { StaticAssets } from "../../model";
import { spotOf } from "../source/modules";
import type { TypeScript } from "../typescript";
import type { EndpointConfig } from "./endpoint-config";
import type { Pass } from "./pass";
import type { PathPart } from "./path";

function checkPath(path: PathPart[], node: TypeScript.Node, pass: Pass): void {
  const first = path.findIndex((part) => part.segment.kind !== "literal");
  const next = first < 0 ? undefined : path[first + 1];
  if (!next) return;
  const message =
    next.segment.kind === "literal"
      ? "have static segments after dynamic segments"
      : "contain multiple dynamic segments";
  pass.diagnostics.report(`static assets path cannot ${message}`, spotOf(node));
}

/** Paths in the result are relative to the app root. */
export function staticAssets(
  config: EndpointConfig,
  path: PathPart[],
  configNode: TypeScript.Node,
  pass: Pass,
): StaticAssets {
  const folder = dirname(pass.module.path);
  const relative = (local: string): string => join(folder, local).slice(pass.diagnostics.root.length + 1);
  checkPath(path, config.path?.node ?? configNode, pass);
  const { dir, notFound, notFoundStatus, headers } = config;
  const kind = dir && pass.files.kind(join(folder, dir.value));
  if (dir && kind !== "folder") {
    const reason = kind === "file" ? "Not a directory (os error 20)" : "No such file or directory (os error 2)";
    pass.diagnostics.report(`unable to read static assets directory: ${reason}`, spotOf(dir.node));
  }
  if (notFound && !pass.files.isFile(join(folder, notFound.value)))
    pass.diagnostics.report("file does not exist", spotOf(notFound.node));
  return {
    dir: relative(dir?.value ?? "."),
    ...(notFound && { notFound: relative(notFound.value) }),
    ...(notFoundStatus !== undefined && { notFoundStatus }),
    headers: headers ?? {},
  };
}
