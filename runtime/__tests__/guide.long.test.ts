// The guide for people who bring an app of their own is followed to the letter, on an app outside this repository:
// its commands run in order, its files are written, what it says is printed has to be printed. Only the port and the
// address of the database are this machine's.
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEmbedded, type EmbeddedPostgres } from "../infra/embedded-process";
import { freePort } from "../http/__tests__/support/free-port";

const repository = join(import.meta.dirname, "../..");
const guide = readFileSync(join(repository, "docs/guides/run-your-encore-app-without-the-cli.md"), "utf8");
const fixture = join(import.meta.dirname, "fixtures/existing-app");
/** What `npm install` had put there before the guide begins. */
const installedBefore = ["encore.dev", "typescript", "vitest"];
const addressInGuide = "postgresql://user:password@localhost:5432/notes";

interface Block {
  kind: "sh" | "serve" | "file" | "text";
  /** Name of the file that the block is. */
  file: string;
  text: string;
}

function blockOf(info: string, text: string): Block | undefined {
  if (info === "text") return { kind: "text", file: "", text };
  const [, language, rest = ""] = /^(\w+) guide ?(.*)$/.exec(info) ?? [];
  if (language === undefined) return undefined;
  return { kind: language === "sh" ? (rest === "serve" ? "serve" : "sh") : "file", file: rest, text };
}

/** The numbered sections, each with what is to be done in it. */
const sections = guide
  .split(/^## (?=\d)/m)
  .slice(1)
  .map((section) => ({
    title: section.slice(0, section.indexOf("\n")),
    blocks: [...section.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)]
      .map(([, info = "", text = ""]) => blockOf(info, text))
      .filter((block) => block !== undefined),
  }));

const folder = mkdtempSync(join(tmpdir(), "gw-guide-"));
const app = join(folder, "my-app");
let port = 0;
let postgres: Promise<EmbeddedPostgres> | undefined;
let server: ChildProcess | undefined;
/** `export`s of earlier blocks. */
let exported = "";

/** A database as `encore run` left it before the app's second migration was written; on a copy of the app's own, to make none anew. */
async function migratedByEncore(): Promise<EmbeddedPostgres> {
  cpSync(join(app, ".groundwork/postgres"), join(folder, "postgres"), { recursive: true });
  const made = await startEmbedded({ dataDir: join(folder, "postgres"), databases: ["notes"], temporary: true });
  const client = new pg.Client({ connectionString: made.ownerUrl("notes") });
  await client.connect();
  await client.query("DROP TABLE notes, schema_migrations, schema_migration_checksums");
  await client.query(readFileSync(join(fixture, "notes/migrations/1_create_notes.up.sql"), "utf8"));
  await client.query("INSERT INTO notes (text) VALUES ('written under encore run')");
  await client.query(
    "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (1, false)",
  );
  await client.end();
  return made;
}

beforeAll(async () => {
  cpSync(fixture, app, { recursive: true });
  symlinkSync(repository, join(folder, "groundwork"));
  mkdirSync(join(app, "node_modules"));
  for (const name of installedBefore)
    symlinkSync(join(repository, "node_modules", name), join(app, "node_modules", name));
  port = await freePort();
});

afterAll(async () => {
  await stopServing();
  await (await postgres)?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function shell(commands: string): Promise<ChildProcess> {
  const isNeeded = exported !== "" || commands.includes(addressInGuide);
  const address = isNeeded ? (await (postgres ??= migratedByEncore())).ownerUrl("notes") : "";
  const script = `set -e\n${exported}\n${commands}`
    .replaceAll(addressInGuide, address)
    .replaceAll("localhost:4000", `localhost:${port}`);
  const { PATH = "", HOME = "" } = process.env;
  // No network, and nothing but this app's folder is changed.
  const npm = {
    npm_config_offline: "true",
    npm_config_audit: "false",
    npm_config_ignore_scripts: "true",
    npm_config_update_notifier: "false",
    npm_config_cache: join(folder, "npm"),
  };
  return spawn("sh", ["-c", script], {
    cwd: app,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH, HOME, PORT: String(port), ...npm },
  });
}

/** Everything a child prints, until it ends or `enough` is printed. */
function output(child: ChildProcess, enough?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const take = (data: Buffer): void => {
      text += data.toString();
      if (enough !== undefined && text.includes(enough)) resolve(text);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.once("close", (code) =>
      code === 0 && enough === undefined ? resolve(text) : reject(new Error(`ended with ${code}:\n${text}`)),
    );
  });
}

/** Ctrl-C: the signal goes to the whole group of processes. */
async function stopServing(): Promise<void> {
  const child = server;
  server = undefined;
  if (!child?.pid || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  process.kill(-child.pid, "SIGINT");
  await ended;
}

async function follow(block: Block, printed: string): Promise<string> {
  if (block.kind === "text") {
    for (const line of block.text.trim().split("\n")) expect(printed).toContain(line);
    return printed;
  }
  if (block.kind === "file") {
    writeFileSync(join(app, block.file), block.text);
    return "";
  }
  if (block.kind === "serve") {
    server = await shell(block.text);
    return output(server, "serving http");
  }
  const text = await output(await shell(block.text));
  exported += [...block.text.matchAll(/^export .*$/gm)].map(([line]) => `${line}\n`).join("");
  return text;
}

test("the guide has commands to follow", () => {
  expect(sections.flatMap(({ blocks }) => blocks).length).toBeGreaterThan(10);
});

test.each(sections.filter(({ blocks }) => blocks.length > 0).map(({ title, blocks }) => [title, blocks] as const))(
  "%s",
  async (_title, blocks) => {
    try {
      let printed = "";
      for (const block of blocks) printed = await follow(block, printed);
    } finally {
      await stopServing();
    }
  },
  60_000,
);
