// `auth` and `service_discovery` of an infra config (12.3): where the services of other processes are, and the keys by
// which the processes of one app believe each other.
import { z } from "zod";
import type { HostConfig, ServiceKey } from "../config";
import { type Env, envString, resolve } from "./env-string";
import { InfraError } from "./errors";

const MAX_KEY_ID = 2 ** 32 - 1;

export const serviceAuth = z.array(
  z.object({
    type: z.literal("key", { error: 'must be "key"' }),
    id: z.number().int().min(0).max(MAX_KEY_ID),
    key: envString,
  }),
);
export const serviceDiscovery = z.record(
  z.string(),
  z.object({
    base_url: z.url({ protocol: /^https?$/, error: "must be an http or https address" }),
    auth: serviceAuth.optional(),
  }),
);

function keysOf(auth: z.infer<typeof serviceAuth>, env: Env): ServiceKey[] {
  return auth.map(({ id, key }) => {
    const text = resolve(key, env);
    if (text === "") throw new InfraError(`infra config: the key ${id} of auth is empty`);
    return { id, key: text };
  });
}

export type Peers = NonNullable<HostConfig["peers"]>;

/**
 * The keys and the services of other processes, as far as the file names any. Calls are signed with the first key, so that a
 * new one can be known everywhere before it is used; calls that come in may be signed with any.
 * @throws InfraError for a service without a key: without one, anybody who reaches a process could be anybody
 */
export function servicesElsewhere(
  auth: z.infer<typeof serviceAuth> | undefined,
  discovery: z.infer<typeof serviceDiscovery> | undefined,
  env: Env,
): { serviceKeys?: ServiceKey[]; peers?: Peers } {
  const serviceKeys = keysOf(auth ?? [], env);
  const peers: Peers = {};
  for (const [service, at] of Object.entries(discovery ?? {})) {
    const [key] = at.auth ? keysOf(at.auth, env) : serviceKeys;
    if (!key)
      throw new InfraError(
        `infra config: service_discovery.${service} needs a key to sign calls with\n  Give the same auth to all processes: "auth": [{ "type": "key", "id": 1, "key": { "$env": "SERVICE_KEY" } }]`,
      );
    peers[service] = { baseUrl: at.base_url, key };
  }
  return { ...(serviceKeys.length ? { serviceKeys } : {}), ...(Object.keys(peers).length ? { peers } : {}) };
}
