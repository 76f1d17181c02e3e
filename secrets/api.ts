// Secrets that an organisation entrusts to the app: stored, named, removed; never answered.
import { api } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { doEach } from "../db/upkeep";
import { currentPrincipal } from "../security/principal";
import { secretList } from "./store";
import { assertNotOwn, changingSecrets, putSecretIn, removeSecretIn, rotateTenantKey } from "./tenant-secret";
import { purgeTenantKeys, rewrapTenantKeys } from "./upkeep";

interface PutSecretRequest {
  /** Lower-case letters, digits, _, . and -, at most 64. */
  name: string;
  /** At most 16 KiB. */
  value: string & MinLen<1> & MaxLen<16384>;
}

interface PutSecretResponse {
  name: string;
  /** How often it was stored. */
  version: number;
}

/** Stores a secret of the organisation, or replaces it. */
export const put = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/secrets/:name",
    sensitive: true,
    tags: ["can:secret.manage", "fresh"],
  },
  async ({ name, value }: PutSecretRequest): Promise<PutSecretResponse> => {
    assertNotOwn(name);
    const principal = currentPrincipal();
    return { name, version: await changingSecrets(principal, (tx) => putSecretIn(tx, principal, name, value)) };
  },
);

interface ListedSecret {
  name: string;
  /** The last characters of a long one. */
  hint: string;
  /** How often it was stored. */
  version: number;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** To the hour; absent for one that was not used since it was stored. */
  lastUsedAt?: string;
}

/** The names of the organisation's secrets. */
export const list = api(
  { expose: true, auth: true, method: "GET", path: "/secrets", tags: ["can:secret.read"] },
  async (): Promise<{ secrets: ListedSecret[] }> => {
    const rows = await secretList(currentPrincipal());
    const secrets = rows.map(({ createdAt, updatedAt, lastUsedAt, ...row }) => ({
      ...row,
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
      ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
    }));
    return { secrets };
  },
);

/** Removes a secret: what uses it fails from now on. */
export const remove = api(
  { expose: true, auth: true, method: "DELETE", path: "/secrets/:name", tags: ["can:secret.manage", "fresh"] },
  async ({ name }: { name: string }): Promise<void> => {
    assertNotOwn(name);
    const principal = currentPrincipal();
    await changingSecrets(principal, (tx) => removeSecretIn(tx, principal, name));
  },
);

/** A new data key for the organisation; all its secrets are sealed again with it. */
export const rotate = api(
  { expose: true, auth: true, method: "POST", path: "/secrets/rotate-key", tags: ["can:secret.manage", "fresh"] },
  async (): Promise<{ secrets: number }> => {
    const principal = currentPrincipal();
    return { secrets: await changingSecrets(principal, (tx) => rotateTenantKey(tx, principal)) };
  },
);

export const maintain = api({ expose: false, method: "POST", path: "/secrets/maintain" }, async (): Promise<void> => {
  await doEach([rewrapTenantKeys, purgeTenantKeys]);
});

export const maintainHourly = new CronJob("secrets-maintain", {
  title: "Seal data keys again with the present master key, delete those that nothing needs",
  every: "1h",
  endpoint: maintain,
});
