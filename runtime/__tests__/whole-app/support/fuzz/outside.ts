// What stands around the app and is spoken to with secrets: a Vault that its own come from, a store of files, a provider of
// sign-ins and one of models. Each is given secrets that were never anywhere before, and `planted` is told of them.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { CLIENT, startOpenIdProvider, type StartedProvider } from "../../../../../auth/__tests__/openid-provider";
import { ANSWER, startProviderServer, type ProviderServer } from "../../../../../services/ai/__tests__/provider-server";
import { startMoto, type S3TestServer } from "../../../../objects/__tests__/support/s3-server";
import type { OwnServers } from "../own-servers";
import { OPENID, type Planted } from "./planted";

/** The app's own address, if it is told no other. */
const APP_URL = "http://localhost:4000";

export interface Outside {
  /** For the app and for commands beside it. */
  env: Record<string, string>;
  openId: StartedProvider;
  models: ProviderServer;
  close(): Promise<void>;
}

/** The documented contract of KV version 2: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version */
async function startVault(token: string, secrets: Record<string, string>): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const isOurs = request.headers["x-vault-token"] === token;
    const isThere = request.url === "/v1/secret/data/groundwork";
    response.writeHead(!isOurs ? 403 : isThere ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(isOurs && isThere ? { data: { data: secrets } } : { errors: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/** The infra config of an installation on servers: a database, by its own login, and files on S3. */
async function writeInfraConfig(stateDir: string, databaseUrl: string, s3: S3TestServer): Promise<string> {
  const { host, pathname, username } = new URL(databaseUrl);
  const { endpoint, region } = s3.server;
  await s3.client.send(new CreateBucketCommand({ Bucket: "files" }));
  const config = {
    sql_servers: [
      {
        host,
        tls_config: { disabled: true },
        databases: { app: { name: pathname.slice(1), username, password: { $env: "POSTGRES_PASSWORD" } } },
      },
    ],
    object_storage: [
      {
        ...{ type: "s3", endpoint, region, force_path_style: true },
        access_key_id: { $env: "S3_ACCESS_KEY_ID" },
        secret_access_key: { $env: "S3_SECRET_ACCESS_KEY" },
        buckets: { "asset-files": { name: "files" } },
      },
    ],
  };
  const path = join(stateDir, "infra.config.json");
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** @param servers whose logins' passwords are planted too */
export async function startOutside(planted: Planted, servers: OwnServers, stateDir: string): Promise<Outside> {
  const made = (what: string): string => {
    const text = `${what}-planted-${crypto.randomUUID()}`;
    planted.set(text, what);
    return text;
  };
  const openId = await startOpenIdProvider([`${APP_URL}/oidc/callback/${OPENID}`]);
  planted.set(CLIENT.clientSecret, "secret of the OIDC client of the installation");
  const models = await startProviderServer();
  // One that takes the key, and one that does not.
  models.does.openai = [ANSWER];
  models.does.mistral = [{ does: "refuse", status: 401 }];
  const s3 = await startMoto();
  const vaultToken = made("vault-token");
  const vault = await startVault(vaultToken, {
    MasterKey: made("master-key"),
    OidcClientSecrets: `${OPENID}=${CLIENT.clientSecret}`,
    AiProviderKeys: `openai=${made("openai-key")}\nmistral=${made("mistral-key")}`,
  });
  planted.set(servers.passwords.postgres, "password of the database");
  planted.set(servers.passwords.redis, "password of Redis");
  const providers = models.providers(["openai", "mistral"]).map(({ models: offered, ...provider }) => ({
    ...provider,
    models: offered.map(({ name, price }) => ({ name, inputPrice: price?.input, outputPrice: price?.output })),
  }));
  return {
    openId,
    models,
    env: {
      REDIS_URL: servers.env.REDIS_URL,
      ENCORE_INFRA_CONFIG_PATH: await writeInfraConfig(stateDir, servers.env.DATABASE_URL, s3),
      POSTGRES_PASSWORD: servers.passwords.postgres,
      S3_ACCESS_KEY_ID: made("s3-access-key"),
      S3_SECRET_ACCESS_KEY: made("s3-secret"),
      VAULT_ADDR: vault.url,
      VAULT_TOKEN: vaultToken,
      GROUNDWORK_VAULT_PATH: "secret/groundwork",
      OIDC_PROVIDERS: JSON.stringify([{ id: OPENID, issuer: openId.issuer, clientId: CLIENT.clientId }]),
      AI_PROVIDERS: JSON.stringify(providers),
    },
    close: async () => {
      vault.close();
      await Promise.all([openId.close(), models.stop(), s3.stop()]);
    },
  };
}
