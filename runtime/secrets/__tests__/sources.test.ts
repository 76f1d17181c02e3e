// Secrets from mounted files and from Vault. The Vault is an HTTP server that keeps to the documented contract.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { completeFromSources } from "../sources";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sources-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** What completing leaves in an environment of these variables. */
async function completed(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const copy = { ...env };
  await completeFromSources(copy);
  return copy;
}

describe("mounted files", () => {
  /** As Kubernetes mounts them: `..data` leads to the present files, and each name leads into it. */
  function mount(folder: string, secrets: Record<string, string>): string {
    const path = join(dir, folder);
    mkdirSync(join(path, "..2026_01_01"), { recursive: true });
    symlinkSync("..2026_01_01", join(path, "..data"));
    for (const [name, value] of Object.entries(secrets)) {
      writeFileSync(join(path, "..2026_01_01", name), value);
      symlinkSync(join("..data", name), join(path, name));
    }
    return path;
  }

  test("give each file's text under its name, without the line end that an editor left", async () => {
    const path = mount("k8s", { MasterKey: "one\ntwo\n", DATABASE_URL: "postgresql://db/app\r\n", Blanks: " x \n\n" });
    expect(await completed({ GROUNDWORK_SECRETS_DIR: path })).toEqual({
      GROUNDWORK_SECRETS_DIR: path,
      MasterKey: "one\ntwo",
      DATABASE_URL: "postgresql://db/app",
      Blanks: " x \n",
    });
  });

  test("come after what is set, and the first of several folders before the next", async () => {
    const path = `${mount("a", { A: "a", B: "a" })}:${mount("b", { A: "b", B: "b", C: "b" })}`;
    expect(await completed({ GROUNDWORK_SECRETS_DIR: path, A: "set" })).toMatchObject({ A: "set", B: "a", C: "b" });
  });

  test("that are no secrets of ours, folders and names that no variable may have, are left alone", async () => {
    const path = mount("mixed", { "tls.crt": "certificate", A: "a" });
    mkdirSync(join(path, "Folder"));
    expect(await completed({ GROUNDWORK_SECRETS_DIR: path })).toEqual({ GROUNDWORK_SECRETS_DIR: path, A: "a" });
  });

  test("that cannot be read, or that would load code, stop the start", async () => {
    const missing = join(dir, "missing");
    await expect(completed({ GROUNDWORK_SECRETS_DIR: missing })).rejects.toThrow(
      `GROUNDWORK_SECRETS_DIR names ${missing}, which cannot be read (ENOENT)`,
    );
    const dangling = mount("dangling", {});
    symlinkSync("..data/Gone", join(dangling, "Gone"));
    await expect(completed({ GROUNDWORK_SECRETS_DIR: dangling })).rejects.toThrow("Gone cannot be read (ENOENT)");
    const large = mount("large", { Large: "x".repeat((1 << 20) + 1) });
    await expect(completed({ GROUNDWORK_SECRETS_DIR: large })).rejects.toThrow("larger than a mebibyte");
    const loader = mount("loader", { NODE_OPTIONS: "--import ./evil.mjs" });
    await expect(completed({ GROUNDWORK_SECRETS_DIR: loader })).rejects.toThrow("NODE_OPTIONS is no secret");
  });
});

describe("Vault", () => {
  const SECRETS = { MasterKey: "from vault", REDIS_URL: "redis://r" };
  interface Seen {
    method: string;
    path: string;
    token: string | undefined;
    namespace: string | undefined;
    body: unknown;
  }
  let server: Server;
  let address: string;
  let seen: Seen[];
  /** Answers before the contract's own: for a Vault that is not well. */
  let first: ((response: ServerResponse) => void)[];

  const reply = (response: ServerResponse, status: number, body?: unknown): void => {
    response
      .writeHead(status, { "content-type": "application/json" })
      .end(body === undefined ? "" : JSON.stringify(body));
  };

  function answer({ method, path, token, body }: Seen, response: ServerResponse): void {
    const login = { approle: { role_id: "r", secret_id: "s" }, kubernetes: { role: "app", jwt: "pod token" } };
    const [, , kind] = path.split("/").slice(1) as ("approle" | "kubernetes")[];
    if (method === "POST" && path.endsWith("/login"))
      return JSON.stringify(body) === JSON.stringify(login[kind!])
        ? reply(response, 200, { auth: { client_token: "t" } })
        : reply(response, 400, { errors: ["invalid role or secret ID"] });
    if (token !== "t") return reply(response, 403, { errors: ["permission denied"] });
    if (path === "/v1/auth/token/revoke-self") return reply(response, 204);
    if (path === "/v1/kv/data/team/ground%20work")
      return reply(response, 200, { data: { data: SECRETS, metadata: { version: 3 } } });
    if (path === "/v1/kv/data/number") return reply(response, 200, { data: { data: { A: "a", Port: 5432 } } });
    if (path === "/v1/kv/data/deleted")
      return reply(response, 404, { data: { data: null, metadata: { deletion_time: "2026-01-01T00:00:00Z" } } });
    if (path === "/v1/kv1/data/old") return reply(response, 200, { data: { MasterKey: "of version 1" } });
    if (path === "/v1/kv/data/page") return void response.end("<html>");
    return reply(response, 404, { errors: [] });
  }

  beforeEach(async () => {
    seen = [];
    first = [];
    server = createServer((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const one: Seen = {
          method,
          path: url,
          token: headers["x-vault-token"] as string | undefined,
          namespace: headers["x-vault-namespace"] as string | undefined,
          body: text === "" ? undefined : JSON.parse(text),
        };
        seen.push(one);
        const sick = first.shift();
        if (sick) sick(response);
        else answer(one, response);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const from = (path: string, more: NodeJS.ProcessEnv = { VAULT_TOKEN: "t" }): Promise<NodeJS.ProcessEnv> =>
    completed({ GROUNDWORK_VAULT_PATH: path, VAULT_ADDR: `${address}/`, ...more });

  test("gives the keys of a secret, after what is set and what is mounted", async () => {
    writeFileSync(join(dir, "REDIS_URL"), "redis://mounted");
    expect(
      await from("/kv/team/ground work", { VAULT_TOKEN: "t", GROUNDWORK_SECRETS_DIR: dir, VAULT_NAMESPACE: "eu" }),
    ).toMatchObject({
      MasterKey: "from vault",
      REDIS_URL: "redis://mounted",
    });
    expect(seen).toMatchObject([{ method: "GET", token: "t", namespace: "eu" }]);
  });

  test("is signed in to by AppRole or as a pod, with a token that ends after the one read", async () => {
    const file = join(dir, "token");
    writeFileSync(file, "pod token\n");
    const ways = [
      { VAULT_ROLE_ID: "r", VAULT_SECRET_ID: "s" },
      { VAULT_KUBERNETES_ROLE: "app", VAULT_KUBERNETES_TOKEN_FILE: file },
    ];
    for (const way of ways) {
      seen = [];
      expect(await from("kv/team/ground work", way)).toMatchObject(SECRETS);
      expect(seen.map(({ path }) => path.split("/").at(-1))).toEqual(["login", "ground%20work", "revoke-self"]);
    }
    expect(seen[0]).toMatchObject({ path: "/v1/auth/kubernetes/login", token: undefined });
  });

  test("that restarts is asked again; what it refuses is not", async () => {
    first = [(response) => reply(response, 503, { errors: ["Vault is sealed"] }), (response) => response.destroy()];
    expect(await from("kv/team/ground work")).toMatchObject(SECRETS);
    expect(seen).toHaveLength(3);
    await expect(from("kv/team/ground work", { VAULT_TOKEN: "wrong" })).rejects.toThrow(
      /403: refused.*permission denied/,
    );
    expect(seen).toHaveLength(4);
  });

  test.each([
    ["kv/deleted", {}, /404: nothing is there/],
    ["kv1/old", {}, /holds no secret: its engine must be of version 2/],
    ["kv/number", {}, /the value of Port must be a text/],
    ["kv/page", {}, /the answer is no JSON/],
    ["kv", {}, /give the engine's mount and the secret's path/],
    ["kv/x", { VAULT_TOKEN: undefined }, /nothing says how to sign in/],
    [
      "kv/x",
      { VAULT_TOKEN: undefined, VAULT_ROLE_ID: "r", VAULT_SECRET_ID: "wrong" },
      /400: the sign-in was refused.*invalid role/,
    ],
    [
      "kv/x",
      { VAULT_TOKEN: undefined, VAULT_KUBERNETES_ROLE: "app", VAULT_KUBERNETES_TOKEN_FILE: "/nowhere" },
      /VAULT_KUBERNETES_ROLE is for pods/,
    ],
    ["kv/x", { VAULT_ADDR: "vault:8200" }, /VAULT_ADDR is not the address of a Vault/],
  ])("%s with %j stops the start and says what to do", async (path, env, message) => {
    const failed = from(path, { VAULT_TOKEN: "t", ...env });
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toMatchObject({ name: "InfraError" });
    expect(((await failed.catch((error: Error) => error)) as Error).message).not.toMatch(/5432|of version 1/);
  });
});
