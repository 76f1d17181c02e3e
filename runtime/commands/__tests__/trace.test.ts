// `groundwork trace` shows what callers sent as text, whatever they sent, and passes over lines that are none.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { keptFiles } from "../../log/kept-lines";
import type { CommandInput } from "../command-input";
import { spellingsOf, trace } from "../trace";

const id = "60ptfbplj4ignv4qo99n9h7msg";
const hex = spellingsOf(id)!.hex;
const root = mkdtempSync(join(tmpdir(), "gw-trace-"));
afterAll(() => rmSync(root, { recursive: true }));

/** What the command prints of an app's last lines. */
async function printed(newest: string[], older: string[] = [], flags: Record<string, unknown> = {}): Promise<string> {
  writeFileSync(join(root, "encore.app"), "{}");
  const env = { GROUNDWORK_STATE_DIR: join(root, "state") };
  for (const [i, file] of keptFiles(env.GROUNDWORK_STATE_DIR).entries()) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, [newest, older][i]!.join("\n"));
  }
  const out: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
  const log = vi.spyOn(console, "log").mockImplementation((...words) => void out.push(words.join(" ") + "\n"));
  try {
    await trace({ flags: { app: root, ...flags }, words: [id], env } as unknown as CommandInput);
  } finally {
    write.mockRestore();
    log.mockRestore();
  }
  return out.join("");
}

const line = (fields: object): string => JSON.stringify({ time: "2026-01-01T00:00:01Z", level: "info", ...fields });

test("control characters that came from outside do not reach the terminal", async () => {
  const evil = "\u001b[2J\u001b]0;owned\u0007\r\nfaked line \u009b31m";
  const text = await printed([
    line({
      requestId: id,
      message: evil,
      path: evil,
      level: evil,
      component: evil,
      err: { stack: `Error: ${evil}\n    at here` },
    }),
  ]);
  const body = text.slice(text.indexOf("\n") + 1).replace(/\u001b\[[0-9;]*m/g, ""); // the command's own colours
  expect(body).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(body).toContain("\\u001b[2J");
  expect(body.split("\n").filter((one) => one.includes("    at here"))).toHaveLength(1);
});

test("lines of both files and both spellings come in the order of their time, and what is no line is passed over", async () => {
  const text = await printed(
    [
      line({ traceId: hex, message: "third", time: "2026-01-01T00:00:03Z" }),
      `{"requestId":"${id}","mess`,
      JSON.stringify(id),
      "null",
      `["${id}"]`,
    ],
    [
      line({ requestId: id, message: "first" }),
      line({ requestId: "another", message: "never" }),
      line({ trace_id: id, message: "second", time: "2026-01-01T00:00:02Z" }),
    ],
  );
  const places = ["first", "second", "third"].map((word) => text.indexOf(word));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places.every((place) => place > 0)).toBe(true);
  expect(text).not.toContain("never");
});

test.each(["", "x", "0".repeat(31), "z".repeat(26), `${"0".repeat(25)}w`, "../../etc/passwd"])(
  "%j is no id",
  (text) => {
    expect(spellingsOf(text)).toBeUndefined();
  },
);
