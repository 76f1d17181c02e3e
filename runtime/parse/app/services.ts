// Which folder belongs to which service (L-7, L-8): strong ones by encore.service.ts, others by what they declare.
import { dirname, basename } from "node:path";
import type { Diagnostics } from "../errors";
import type { Bind, ResourceKind } from "../resources/resource";
import { isInside } from "./read-app";

export interface DiscoveredService {
  name: string;
  /** Absolute. */
  folder: string;
  file: string | undefined;
}

const MAKES_A_SERVICE = new Set<ResourceKind>(["service", "endpoint", "subscription", "gateway", "authHandler"]);

function consider(bind: Bind, services: Map<string, DiscoveredService>): void {
  const { resource, module } = bind;
  const folder = dirname(module.path);
  const strong = resource.kind === "service";
  if (services.has(folder)) return;
  const below: string[] = [];
  for (const service of services.values()) {
    if (isInside(service.folder, folder)) {
      if (service.file === undefined) below.push(service.folder);
    } else if (isInside(folder, service.folder) && !strong) return;
  }
  for (const other of below) services.delete(other);
  services.set(folder, {
    name: strong ? resource.name : basename(folder),
    folder,
    file: strong ? module.path : undefined,
  });
}

function refuseOverlaps(services: DiscoveredService[], diagnostics: Diagnostics): void {
  for (const [index, service] of services.entries()) {
    for (const other of services.slice(index + 1)) {
      const contained = (inner: DiscoveredService, outer: DiscoveredService): void =>
        diagnostics.report(`service ${inner.name} cannot be contained within service ${outer.name}`, undefined, {
          remedy: `${inner.folder} is inside ${outer.folder}.`,
        });
      if (isInside(service.folder, other.folder)) contained(service, other);
      else if (isInside(other.folder, service.folder)) contained(other, service);
      else if (service.name === other.name) {
        diagnostics.report(`service ${service.name} defined twice`, undefined, {
          remedy: `In ${service.folder} and in ${other.folder}.`,
        });
      }
    }
  }
}

/** Services sorted by folder. */
export function discoverServices(binds: Bind[], diagnostics: Diagnostics): DiscoveredService[] {
  const services = new Map<string, DiscoveredService>();
  for (const bind of binds) if (MAKES_A_SERVICE.has(bind.resource.kind)) consider(bind, services);
  const found = [...services.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
  refuseOverlaps(found, diagnostics);
  return found;
}

export const serviceAt = (path: string, services: DiscoveredService[]): DiscoveredService | undefined =>
  services.find((service) => isInside(path, service.folder));
