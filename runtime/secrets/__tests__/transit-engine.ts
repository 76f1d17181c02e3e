// What stands in for Vault in tests: an HTTP server that keeps to the documented contract of a transit engine and really seals
// (AES-256-GCM under a key of each version, with associated data), of a key-value engine with one secret, and of AppRole.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const TOKEN = "t";

/** `transit/keys/groundwork`, of type aes256-gcm96. */
export class TransitEngine {
  readonly asked: { path: string; token: string | undefined }[] = [];
  /** By version, from 1. */
  private readonly keys = [randomBytes(32)];
  minDecryptionVersion = 1;
  isHanging = false;
  /** How often an AppRole's secret id may still be used (`secret_id_num_uses`). */
  signInsLeft = 0;
  /** Of the key-value engine's secret `kv/app`. */
  stored: Record<string, string> = {};

  rotate(): void {
    this.keys.push(randomBytes(32));
  }

  answer(path: string, token: string | undefined, body: Record<string, string>, response: ServerResponse): void {
    this.asked.push({ path, token });
    if (this.isHanging) return;
    if (path === "/v1/auth/approle/login")
      return this.signInsLeft-- > 0
        ? reply(response, 200, { auth: { client_token: TOKEN } })
        : reply(response, 400, { errors: ["invalid role or secret ID"] });
    if (token !== TOKEN) return reply(response, 403, { errors: ["permission denied"] });
    if (path === "/v1/kv/data/app") return reply(response, 200, { data: { data: this.stored } });
    if (path === "/v1/auth/token/revoke-self") return reply(response, 204, {});
    const act = /^\/v1\/team\/transit\/(encrypt|decrypt|rewrap)\/groundwork$/.exec(path)?.[1];
    if (act === undefined) return reply(response, 404, { errors: [] });
    try {
      const context = Buffer.from(body.associated_data ?? "", "base64");
      if (act === "decrypt") return reply(response, 200, { data: { plaintext: this.open(body.ciphertext!, context) } });
      const plaintext = act === "encrypt" ? body.plaintext! : this.open(body.ciphertext!, context);
      reply(response, 200, { data: { ciphertext: this.seal(plaintext, context), key_version: this.keys.length } });
    } catch (error) {
      reply(response, 400, { errors: [(error as Error).message] });
    }
  }

  private seal(plaintext: string, context: Buffer): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.keys.at(-1)!, nonce).setAAD(context);
    const sealed = [nonce, cipher.update(Buffer.from(plaintext, "base64")), cipher.final(), cipher.getAuthTag()];
    return `vault:v${this.keys.length}:${Buffer.concat(sealed).toString("base64")}`;
  }

  private open(ciphertext: string, context: Buffer): string {
    const [, version = "", text = ""] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
    if (Number(version) < this.minDecryptionVersion)
      throw new Error("ciphertext or signature version is disallowed by policy (too old)");
    const key = this.keys[Number(version) - 1];
    if (key === undefined) throw new Error("invalid ciphertext: no prefix");
    const bytes = Buffer.from(text, "base64");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12)).setAAD(context);
    decipher.setAuthTag(bytes.subarray(-16));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString("base64");
    } catch {
      throw new Error("cipher: message authentication failed");
    }
  }
}

const reply = (response: ServerResponse, status: number, body: unknown): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

export interface StartedEngine {
  engine: TransitEngine;
  /** By which a process finds it. */
  env: Record<"VAULT_ADDR" | "VAULT_TOKEN" | "GROUNDWORK_VAULT_TRANSIT", string>;
  close(): void;
}

export async function startTransitEngine(): Promise<StartedEngine> {
  const engine = new TransitEngine();
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () =>
      engine.answer(
        request.url ?? "",
        request.headers["x-vault-token"] as string | undefined,
        JSON.parse(text || "{}") as Record<string, string>,
        response,
      ),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    engine,
    env: {
      VAULT_ADDR: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      VAULT_TOKEN: TOKEN,
      GROUNDWORK_VAULT_TRANSIT: "team/transit/groundwork",
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
