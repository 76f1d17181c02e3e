// Secrets sealed by a transit engine, which is a server that really seals (transit-engine.ts).
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { commands } from "../../commands";
import { secretsCommand } from "../../commands/secrets";
import type { CommandInput } from "../../commands/command-input";
import { completeFromSources } from "../sources";
import { isSealed, rewrapValue, sealValue, unsealInPlace } from "../transit";
import { withVault } from "../vault-client";
import { startTransitEngine, type StartedEngine, type TransitEngine } from "./transit-engine";

let standIn: StartedEngine;
let engine: TransitEngine;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  standIn = await startTransitEngine();
  ({ engine } = standIn);
  env = { ...standIn.env };
});
afterEach(() => {
  vi.restoreAllMocks();
  standIn.close();
});

/** What a start with these variables has. */
async function started(more: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const copy = { ...env, ...more };
  await completeFromSources(copy);
  return copy;
}

const seal = (name: string, value: string): Promise<string> =>
  withVault(env, (session) => sealValue(env, name, value, session));
const rewrap = (name: string, value: string): Promise<string> =>
  withVault(env, (session) => rewrapValue(env, name, value, session));

const PRESENT = "the present master key of the installation";
const BEFORE = "the master key before it, of thirty-two and more";

describe("a secret that a transit engine sealed", () => {
  test("is opened at the start, bound to its name, and several in one value each by itself", async () => {
    const [present, before] = [await seal("MasterKey", PRESENT), await seal("MasterKey", BEFORE)];
    expect(present).toMatch(/^vault:v1:/);
    const other = await seal("METRICS_TOKEN", "of the metrics");
    const found = await started({ MasterKey: `${present}, ${before}\n`, METRICS_TOKEN: other, PORT: "4000" });
    expect(found).toMatchObject({
      MasterKey: `${PRESENT}, ${BEFORE}\n`,
      METRICS_TOKEN: "of the metrics",
      PORT: "4000",
    });
    await expect(started({ MasterKey: other })).rejects.toThrow(/^MasterKey: .*400.*message authentication failed/);
  });

  test("outlives its key's rotation: rewrapped on one replica while the other has the text before, then the old version ends", async () => {
    const first = await seal("MasterKey", PRESENT);
    engine.rotate();
    const second = await rewrap("MasterKey", first);
    expect(second).toMatch(/^vault:v2:/);
    const replicas = await Promise.all([started({ MasterKey: first }), started({ MasterKey: second })]);
    expect(replicas.map(({ MasterKey }) => MasterKey)).toEqual([PRESENT, PRESENT]);
    engine.minDecryptionVersion = 2;
    expect((await started({ MasterKey: second })).MasterKey).toBe(PRESENT);
    await expect(started({ MasterKey: first })).rejects.toThrow(/MasterKey: .*too old.*min_decryption_version/);
  });

  test("is asked for within bounds: a Vault that hangs, is refused or is not named stops the start by the secret's name", async () => {
    const MasterKey = await seal("MasterKey", PRESENT);
    engine.isHanging = true;
    engine.asked.length = 0;
    const sealed = { ...env, MasterKey };
    const failed = withVault(sealed, (session) => unsealInPlace(sealed, session), { requestMs: 300, pausesMs: [1, 1] });
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

  test("is opened with the sign-in by which it was read: an AppRole's secret id may be good for one", async () => {
    engine.stored = { MasterKey: await seal("MasterKey", PRESENT), METRICS_TOKEN: await seal("METRICS_TOKEN", "m") };
    engine.signInsLeft = 1;
    engine.asked.length = 0;
    const role = { VAULT_TOKEN: undefined, VAULT_ROLE_ID: "r", VAULT_SECRET_ID: "s", GROUNDWORK_VAULT_PATH: "kv/app" };
    expect(await started(role)).toMatchObject({ MasterKey: PRESENT, METRICS_TOKEN: "m" });
    const asked = engine.asked.map(({ path }) => path.split("/").slice(3).join("/"));
    expect(asked).toEqual([
      "approle/login",
      "data/app",
      "transit/decrypt/groundwork",
      "transit/decrypt/groundwork",
      "token/revoke-self",
    ]);
    // A command too, and one that fails ends the token that was made for it.
    engine.signInsLeft = 1;
    const input = { words: ["rewrap", "MasterKey"], env: { ...env, ...role }, flags: {}, rest: [] } as CommandInput;
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await secretsCommand(input, Readable.from([]));
    expect(String(write.mock.lastCall?.[0])).toMatch(/^vault:v1:/);
    engine.signInsLeft = 1;
    engine.stored.MasterKey = await seal("OTHER", "of another name");
    await expect(started(role)).rejects.toThrow(/^MasterKey: .*message authentication failed/);
    expect(engine.asked.at(-1)?.path).toBe("/v1/auth/token/revoke-self");
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
