// The rooms of the house and their order. A room is a top-level folder, one folder of services/, or the
// files database.ts and testing.ts. `telemetry` is two rooms: its library part stands at the bottom, its service part
// (the declaration, its errors and the endpoints) on top, because its endpoints stand under the guard.

/** From top to bottom; an import may only go down. Rooms in one line don't import one another. */
export const LAYERS: readonly (readonly string[])[] = [
  ["console", "services/*", "telemetry (service)"],
  ["vectors"],
  ["auth"],
  ["flags", "sagas", "secrets"],
  ["queues"],
  ["events", "mail"],
  ["audit", "idempotency"],
  ["db"],
  ["security"],
  ["telemetry"],
  ["config", "database.ts"],
];

/** Rooms beside the application: they start, measure, test and ship it. The application imports none of them. */
export const TOOL_ROOMS: readonly string[] = ["scripts", "bench", "deploy", "docs", "__tests__", "testing.ts"];

/** The plain-Node host: reads the application, imports nothing of it. */
export const HOST_ROOM = "runtime";

/** What a service shows the gateway, the queue and the database; nobody outside the folder imports it. */
export const SERVICE_EDGE = /^(encore\.service|api|subscriptions|jobs|store)\.ts$|^(api|store|providers)\//;

/** The room a file stands in, or undefined for the root's own configuration files. */
export function roomOf(path: string): string | undefined {
  const [first, second] = path.split("/");
  if (first === "database.ts" || first === "testing.ts") return first;
  if (first === undefined || second === undefined) return undefined;
  if (first === "services") return `services/${second}`;
  if (first === "telemetry" && (SERVICE_EDGE.test(path.slice("telemetry/".length)) || path === "telemetry/errors.ts"))
    return "telemetry (service)";
  return first;
}

/** Height of an application room, the highest first; undefined for tools and the host. */
export function layerOf(room: string): number | undefined {
  const name = room.startsWith("services/") ? "services/*" : room;
  const index = LAYERS.findIndex((layer) => layer.includes(name));
  return index === -1 ? undefined : LAYERS.length - index;
}

/** Folder of a room, where its README stands. */
export function folderOf(room: string): string {
  return room.replace(/ \(service\)$/, "");
}
