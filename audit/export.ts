// The whole log as lines of JSON (NDJSON), oldest first, written no faster than it is read. A break of the connection
// shows: the last line says how many entries there were and what the chain's last hash is, to be kept elsewhere.
import type { Writable } from "node:stream";
import { goOn, type Reading } from "../db/acting";
import type { Principal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { NdjsonWriter } from "./ndjson";
import { shownEntry } from "./shown-entry";
import { entryChain, headFind } from "./store";

const PAGE = 500;

/** Resolves when all is written or the reader has left; what fails on the way, or puts the reader out, ends the connection. */
export async function exportEntries(principal: Principal, to: Writable, reading: Reading): Promise<void> {
  try {
    await writeEntries(principal, to, reading);
  } catch (error) {
    logger("audit").error({ err: error }, "an export of the audit log was cut off");
    to.destroy();
  }
}

async function writeEntries(principal: Principal, to: Writable, reading: Reading): Promise<void> {
  const ends = await headFind(principal);
  const writer = new NdjsonWriter(to);
  let count = 0;
  for (let seq = ends.keptFrom; seq <= ends.seq;) {
    await goOn(reading);
    const page = (await entryChain(principal, seq, PAGE)).filter((entry) => entry.seq <= ends.seq);
    const [last] = page.slice(-1);
    if (last === undefined) break;
    const lines = page.map(
      (entry) => `${JSON.stringify({ ...shownEntry(entry, principal), hash: entry.hash.toString("hex") })}\n`,
    );
    if (!(await writer.write(lines.join("")))) return;
    count += page.length;
    seq = last.seq + 1;
  }
  writer.end(`${JSON.stringify({ entries: count, lastHash: ends.hash.toString("hex") })}\n`);
}
