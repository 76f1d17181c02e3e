// Secrets sealed by a transit engine. The engine is an HTTP server that keeps to the documented contract and really seals:
// AES-256-GCM under a key of each version, with associated data.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { commands } from "../../commands";
import { secretsCommand } from "../../commands/secrets";
import type { CommandInput } from "../../commands/command-input";
import { completeFromSources } from "../sources";
import { isSealed, rewrapValue, sealValue, unsealInPlace } from "../transit";

const TOKEN = "t";

/** `transit/keys/groundwork`, of type aes256-gcm96. */
class TransitEngine {
  readonly asked: { path: string; token: string | undefined }[] = [];
  /** By version, from 1. */
  private readonly keys = [randomBytes(32)];
  minDecryptionVersion = 1;
  isHanging = false;

  rotate(): void {
    this.keys.push(randomBytes(32));
  }

  answer(path: string, token: string | undefined, body: Record<string, string>, response: ServerResponse): void {
    this.asked.push({ path, token });
    if (this.isHanging) return;
    if (token !== TOKEN) return reply(response, 403, { errors: ["permission denied"] });
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

let engine: TransitEngine;
let server: Server;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  engine = new TransitEngine();
  server = createServer((request, response) => {
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
  env = {
    VAULT_ADDR: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    VAULT_TOKEN: TOKEN,
    GROUNDWORK_VAULT_TRANSIT: "team/transit/groundwork",
  };
});
afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

/** What a start with these variables has. */
async function started(more: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const copy = { ...env, ...more };
  await completeFromSources(copy);
  return copy;
}

const PRESENT = "the present master key of the installation";
const BEFORE = "the master key before it, of thirty-two and more";

describe("a secret that a transit engine sealed", () => {
  test("is opened at the start, bound to its name, and several in one value each by itself", async () => {
    const [present, before] = [await sealValue(env, "MasterKey", PRESENT), await sealValue(env, "MasterKey", BEFORE)];
    expect(present).toMatch(/^vault:v1:/);
    const other = await sealValue(env, "METRICS_TOKEN", "of the metrics");
    const found = await started({ MasterKey: `${present}, ${before}\n`, METRICS_TOKEN: other, PORT: "4000" });
    expect(found).toMatchObject({
      MasterKey: `${PRESENT}, ${BEFORE}\n`,
      METRICS_TOKEN: "of the metrics",
      PORT: "4000",
    });
    await expect(started({ MasterKey: other })).rejects.toThrow(/^MasterKey: .*400.*message authentication failed/);
  });

  test("outlives its key's rotation: rewrapped on one replica while the other has the text before, then the old version ends", async () => {
    const first = await sealValue(env, "MasterKey", PRESENT);
    engine.rotate();
    const second = await rewrapValue(env, "MasterKey", first);
    expect(second).toMatch(/^vault:v2:/);
    const replicas = await Promise.all([started({ MasterKey: first }), started({ MasterKey: second })]);
    expect(replicas.map(({ MasterKey }) => MasterKey)).toEqual([PRESENT, PRESENT]);
    engine.minDecryptionVersion = 2;
    expect((await started({ MasterKey: second })).MasterKey).toBe(PRESENT);
    await expect(started({ MasterKey: first })).rejects.toThrow(/MasterKey: .*too old.*min_decryption_version/);
  });

  test("is asked for within bounds: a Vault that hangs, is refused or is not named stops the start by the secret's name", async () => {
    const MasterKey = await sealValue(env, "MasterKey", PRESENT);
    engine.isHanging = true;
    engine.asked.length = 0;
    const failed = unsealInPlace({ ...env, MasterKey }, { requestMs: 300, pausesMs: [1, 1] });
    await expect(failed).rejects.toThrow(/^MasterKey: .*no answer \(timed out\): is VAULT_ADDR right/);
    expect(engine.asked).toHaveLength(3);
    engine.isHanging = false;
    await expect(started({ MasterKey, VAULT_TOKEN: "wrong" })).rejects.toThrow(/403: refused.*permission denied/);
    await expect(started({ MasterKey, GROUNDWORK_VAULT_TRANSIT: undefined })).rejects.toThrow(
      /^MasterKey: sealed by a transit engine, and GROUNDWORK_VAULT_TRANSIT does not name its key/,
    );
    await expect(started({ MasterKey, GROUNDWORK_VAULT_TRANSIT: "groundwork" })).rejects.toThrow(/mount and the key/);
    await expect(started({ MasterKey, GROUNDWORK_VAULT_TRANSIT: "kv/groundwork" })).rejects.toThrow(
      /404: nothing is there: look at the mount, which must be a transit engine/,
    );
    const told = (await started({ MasterKey, VAULT_TOKEN: "wrong" }).catch((error: Error) => error)) as Error;
    expect(told.message).not.toContain(PRESENT);
    expect(told).toMatchObject({ name: "InfraError" });
  });

  test("costs nothing where there is none: Vault is not asked", async () => {
    expect(isSealed("vault:8200")).toBe(false);
    expect(await started({ MasterKey: PRESENT, HINT: "vault:v1 is no ciphertext" })).toMatchObject({
      MasterKey: PRESENT,
    });
    expect(engine.asked).toEqual([]);
  });
});

describe("groundwork secrets", () => {
  const run = async (words: string[], piped: string, more: NodeJS.ProcessEnv = {}): Promise<string> => {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true).mockClear();
    const input = { words, env: { ...env, ...more }, flags: {}, rest: [] } as CommandInput;
    await secretsCommand(input, Readable.from(piped === "" ? [] : [piped]));
    return write.mock.calls.map(([text]) => String(text)).join("");
  };

  test("seal what is piped, and rewrap what is set, without showing it", async () => {
    const sealed = (await run(["seal", "MasterKey"], `${PRESENT}\n`)).trim();
    expect((await started({ MasterKey: sealed })).MasterKey).toBe(PRESENT);
    engine.rotate();
    const asked = engine.asked.length;
    const rewrapped = (await run(["rewrap", "MasterKey"], "", { MasterKey: sealed })).trim();
    expect(rewrapped.startsWith("vault:v2:")).toBe(true);
    expect(engine.asked.slice(asked).map(({ path }) => path.split("/").at(-2))).toEqual(["rewrap"]);
    expect(Object.keys(commands)).toContain("secrets");
  });

  test.each([
    [["seal"], "x", /groundwork secrets seal NAME/],
    [["open", "MasterKey"], "x", /groundwork secrets seal NAME/],
    [["seal", "MasterKey"], "", /the value from the pipe is empty/],
    [["rewrap", "MasterKey"], "", /MasterKey is not sealed by a transit engine/],
  ])("%j with %j is refused and says what to do", async (words, piped, message) => {
    await expect(run(words, piped)).rejects.toThrow(message);
  });
});
