// Runs at the end of `npm ci`: generates what is generated, offline. Prisma asks for a schema engine that
// its installer would download; `generate` never runs it, so any executable of that name will do.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildHost } from "./bundles.mjs";
import { buildConsolePage } from "./console-page.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function generatePrismaClient() {
  const schema = join(root, "db", "schema.prisma");
  if (!existsSync(schema)) return;
  const result = spawnSync(
    process.execPath,
    [join(root, "node_modules", "prisma", "build", "index.js"), "generate", "--schema", schema],
    {
      cwd: root,
      env: {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: "1",
        CHECKPOINT_DISABLE: "1",
      },
      encoding: "utf8",
    },
  );
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout}${result.stderr}`);
    throw new Error("prisma generate failed: see the output above");
  }
}

/** encore.gen/, so that an editor and the type check find `~encore/*` before the first start. */
function generateClients() {
  const result = spawnSync(process.execPath, [join(root, "dist", "cli.js"), "check"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status !== 0) throw new Error("the app has errors: see above");
}

// Chunks of earlier builds; the initial database knows by itself when it is out of date.
for (const name of existsSync(join(root, "dist")) ? readdirSync(join(root, "dist")) : [])
  if (name !== "initial-database") rmSync(join(root, "dist", name), { recursive: true, force: true });
generatePrismaClient();
await Promise.all([buildHost(root), buildConsolePage(root)]);
generateClients();
