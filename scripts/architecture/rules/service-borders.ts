// Services meet through ~encore/clients and events. From the foundation services (events, queues, sagas, flags, mail, audit, secrets, idempotency, telemetry)
// others import the library part; from the rest only `types.ts`, and only as types.
import { isTest, type Project, type Rule, type SourceFile, type Violation } from "../project";
import { folderOf, roomOf, SERVICE_EDGE } from "../rooms";

const WITH_LIBRARY_PART = new Set([
  "telemetry",
  "events",
  "queues",
  "sagas",
  "flags",
  "mail",
  "audit",
  "secrets",
  "idempotency",
]);

function serviceFolders(project: Project): Set<string> {
  const declarations = project.files.filter((file) => file.endsWith("/encore.service.ts") && !isTest(file));
  return new Set(declarations.map((file) => file.slice(0, -"/encore.service.ts".length)));
}

function checkFile(source: SourceFile, services: Set<string>): Violation[] {
  const room = roomOf(source.path);
  const home = folderOf(room ?? "");
  const found: Violation[] = [];
  for (const { target, line, typeOnly } of source.imports) {
    const owner = target === undefined ? "" : folderOf(roomOf(target) ?? "");
    if (target === undefined || owner === home || !services.has(owner)) continue;
    const inside = target.slice(owner.length + 1);
    const allowed = WITH_LIBRARY_PART.has(owner) ? !SERVICE_EDGE.test(inside) : inside === "types.ts" && typeOnly;
    if (!allowed) {
      const instead = WITH_LIBRARY_PART.has(owner)
        ? "import its library part"
        : "call it through ~encore/clients, or take types from its types.ts";
      found.push({
        rule: "service-borders",
        file: source.path,
        line,
        message: `reaches into the service ${owner}: ${target}; ${instead}`,
      });
    }
  }
  return found;
}

function check(project: Project): Violation[] {
  const services = serviceFolders(project);
  const shipped = [...project.sources.values()].filter(
    ({ path }) => !isTest(path) && !/^(scripts|bench|runtime)\//.test(path),
  );
  return shipped.flatMap((source) => checkFile(source, services));
}

export const serviceBorders: Rule = {
  name: "service-borders",
  promise: "no service imports another service's files",
  check,
};
