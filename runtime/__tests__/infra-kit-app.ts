// The infrastructure kit's app on this host, asked as the official one was.
import { join } from "node:path";
import { expect } from "vitest";
import type { HostConfig } from "../config";
import { startApp, type AppProcess } from "../http/__tests__/support/app-process";
import { cloneDatabase, createTemplate } from "../infra";
import { parseApp } from "../parse";
import { loadSecrets } from "../secrets";
import { differences, kit, normalise, recorded, type Answer, type Case } from "./infra-cases";
import { races, type Exception } from "./infra-exceptions";

const appDir = join(kit, "app");

/** With a database of its own, and `config` on top of what the kit was recorded with. */
export async function startKitApp(config: Partial<HostConfig> = {}): Promise<AppProcess> {
  const parsed = parseApp(appDir);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const database = parsed.model.databases[0];
  if (!database) throw new Error("the kit's app has a database");
  const clone = await cloneDatabase(await createTemplate(database, appDir, process.env));
  const secrets = loadSecrets(appDir, "", {}, ["Set", "Multi", "Unset"]);
  const app = await startApp(appDir, {
    config: {
      databases: { [database.name]: { url: clone.url } },
      secrets,
      build: { revision: "", uncommittedChanges: true },
      ...config,
    },
    env: { GROUNDWORK_CRONS: "off", ENCORE_RUNTIME_LOG: "info" },
  });
  return {
    ...app,
    async stop() {
      await app.stop();
      await clone.drop();
    },
  };
}

export async function send(app: AppProcess, { id, request }: Case): Promise<Answer> {
  const { method, path, headers = {}, body } = request;
  const response = await fetch(`http://127.0.0.1:${app.port}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = text.startsWith("{") || text.startsWith("[");
  return { id, status: response.status, body: normalise(isJson ? (JSON.parse(text) as unknown) : { text }) };
}

/**
 * Fails where the answer differs from the recorded one and may not, and where it may and does not.
 * @param passedOver places that are not looked at in any case
 */
export function expectSame(got: Answer, exceptions: Record<string, Exception>, passedOver?: RegExp): void {
  const { logs, ...rest } = recorded.get(got.id) ?? { id: got.id, status: 0, body: null };
  const expected = {
    ...rest,
    body: normalise(rest.body),
    ...(got.logs ? { logs: logs?.map((line) => normalise(line)) } : {}),
  };
  const different = differences(expected, got).filter((path) => !races[got.id]?.test(path) && !passedOver?.test(path));
  const exception = exceptions[got.id];
  if (!exception) return expect(different.length ? got : expected).toEqual(expected);
  expect(
    different.filter((path) => !exception.paths.test(path)),
    exception.reason,
  ).toEqual([]);
  expect(different.length, `${got.id} needs no exception any more`).toBeGreaterThan(0);
}

export const groupOf = (one: Case): string => one.id.split(".")[0] ?? "";
