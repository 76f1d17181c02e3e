// The file of a backup is its own: under no name that was there before, whole or not there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { InfraError } from "../../infra";
import { removeFolders, temporaryFolder } from "../../infra/__tests__/support";
import { ArchiveWriter } from "../archive-writer";

const root = join(__dirname, "..", "..", "..");

afterAll(removeFolders);

describe("a file that is written", () => {
  it("takes nothing over that stands under another name of its own", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "b.tar.gz");
    writeFileSync(`${file}.part`, "mine");
    chmodSync(`${file}.part`, 0o644);
    symlinkSync(join(folder, "elsewhere"), `${file}.link.part`);
    const archive = new ArchiveWriter(file);
    await archive.add("one", Buffer.from("x"));
    await archive.finish();
    expect(readdirSync(folder).sort()).toEqual(["b.tar.gz", "b.tar.gz.link.part", "b.tar.gz.part"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${file}.part`, "utf8")).toBe("mine");
  });

  it("does not replace one that came meanwhile", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "b.tar.gz");
    const archive = new ArchiveWriter(file);
    await archive.add("one", Buffer.from("x"));
    writeFileSync(file, "mine");
    await expect(archive.finish()).rejects.toThrow(/has come into being meanwhile/);
    await archive.abandon();
    expect(readdirSync(folder)).toEqual(["b.tar.gz"]);
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  it("names the folder that is missing", async () => {
    const folder = join(temporaryFolder(), "none");
    const archive = new ArchiveWriter(join(folder, "b.tar.gz"));
    const error: unknown = await archive
      .add("one", Buffer.alloc(10))
      .then(() => archive.finish())
      .catch((thrown: unknown) => thrown);
    await archive.abandon();
    expect(error).toBeInstanceOf(InfraError);
    expect((error as Error).message).toContain(`the folder ${folder} does not exist`);
  });

  it("is not taken for whole where an entry has more or fewer bytes than it said", async () => {
    for (const [size, message] of [
      [2, "grew"],
      [4, "shrank"],
    ] as const) {
      const archive = new ArchiveWriter(join(temporaryFolder(), "b.tar.gz"));
      await expect(archive.addStream("one", size, [Buffer.from("abc")])).rejects.toThrow(
        `one ${message} while it was read`,
      );
      await archive.abandon();
    }
  });

  it("leaves nothing behind when its process is told to end", async () => {
    const folder = temporaryFolder();
    const script = join(temporaryFolder(), "write.ts");
    writeFileSync(
      script,
      `import { ArchiveWriter } from ${JSON.stringify(join(root, "runtime", "backup", "archive-writer"))};
const archive = new ArchiveWriter(${JSON.stringify(join(folder, "b.tar.gz"))});
void archive.add("one", Buffer.alloc(1_000_000)).then(() => console.log("ready"));
setInterval(() => undefined, 1_000);
`,
    );
    const child = spawn(process.execPath, [join(root, "scripts", "run-ts.mjs"), script], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: root,
    });
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    await vi.waitFor(() => expect(readdirSync(folder)).toHaveLength(1), { timeout: 10_000 });
    child.kill("SIGTERM");
    expect(await ended).toEqual([null, "SIGTERM"]);
    expect(readdirSync(folder)).toEqual([]);
  });
});
