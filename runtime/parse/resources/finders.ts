// Every kind of resource, in the order in which a file is searched for them: services first, because the others
// want to know which service they are in, clusters before the keyspaces on them.
import { authHandlerFinder } from "./auth-handler";
import { bucketFinder } from "./bucket";
import { clusterFinder, keyspaceFinder } from "./cache";
import { cronFinder } from "./cron";
import { databaseFinder } from "./database";
import { endpointFinder } from "./endpoint";
import { gatewayFinder } from "./gateway";
import { metricFinder } from "./metric";
import type { ResourceFinder } from "./pass";
import { secretFinder } from "./secret";
import { serviceFinder } from "./service";
import { subscriptionFinder } from "./subscription";
import { topicFinder } from "./topic";

export const FINDERS: readonly ResourceFinder[] = [
  serviceFinder,
  endpointFinder,
  authHandlerFinder,
  gatewayFinder,
  databaseFinder,
  bucketFinder,
  topicFinder,
  subscriptionFinder,
  cronFinder,
  secretFinder,
  metricFinder,
  clusterFinder,
  keyspaceFinder,
];
