// What a backup file is: a gzipped tar, so that anybody can look into it without us.
//   backup.json                               what it holds; the first entry
//   databases/<database>/<table>/<n>.ndjson   rows, each a JSON list of texts in the order of the table's columns
//   objects/<bucket>/<n>.json, <n>.bytes      an object's name and type, then its bytes
//   checksums.json                            the last entry: without it the file was cut short
// Every text is Postgres' own text form of the value under the settings in database-session.ts.
import { z } from "zod";
import { InfraError } from "../infra";

export const FORMAT_VERSION = 1;

export const entryNames = {
  header: "backup.json",
  checksums: "checksums.json",
  rows: (database: string, table: string, part: number): string =>
    `databases/${encodeURIComponent(database)}/${encodeURIComponent(table)}/${String(part).padStart(6, "0")}.ndjson`,
  object: (bucket: string, index: number): string =>
    `objects/${encodeURIComponent(bucket)}/${String(index).padStart(8, "0")}`,
} as const;

/** Numbers of Postgres that a number of JavaScript would not hold. */
const wholeNumber = z
  .string()
  .min(1)
  .max(20)
  .refine((text) =>
    [...text].every((digit, at) => "0123456789".includes(digit) || (digit === "-" && at === 0 && text.length > 1)),
  );

const column = z.object({
  name: z.string(),
  /** As `format_type` has it, with its schema. */
  type: z.string(),
  /** Computed from others: not in the rows. */
  generated: z.boolean(),
});

const table = z.object({ schema: z.string(), name: z.string(), columns: z.array(column) });

const sequence = z.object({ schema: z.string(), name: z.string(), lastValue: wholeNumber, isCalled: z.boolean() });

const database = z.object({
  /** Of the server. */
  version: z.string(),
  migrations: z.array(z.object({ number: wholeNumber, file: z.string(), checksum: z.string().nullable() })),
  /** Who owns the tables that the host makes by itself (topics, crons), where there are some. */
  hostOwner: z.string().nullable(),
  tables: z.array(table),
  sequences: z.array(sequence),
});

export const backupHeader = z.object({
  format: z.literal("groundwork-backup"),
  formatVersion: z.number().int().min(1),
  createdAt: z.string(),
  app: z.string(),
  databases: z.record(z.string(), database),
  buckets: z.array(z.string()),
});

const digested = z.object({ rows: z.number().int(), sha256: z.string() });

export const backupChecksums = z.object({
  databases: z.record(z.string(), z.record(z.string(), digested)),
  objects: z.record(z.string(), z.object({ objects: z.number().int(), sha256: z.string() })),
  /** Of the names, sizes and hashes of all entries before. */
  file: z.string(),
});

export const objectHead = z.object({ name: z.string(), contentType: z.string(), size: z.number().int().min(0) });

export type TableColumn = z.infer<typeof column>;
export type TableShape = z.infer<typeof table>;
export type SequenceState = z.infer<typeof sequence>;
export type DatabaseHeader = z.infer<typeof database>;
export type BackupHeader = z.infer<typeof backupHeader>;
export type BackupChecksums = z.infer<typeof backupChecksums>;
export type ObjectHead = z.infer<typeof objectHead>;

/** What is counted and hashed of one table, or of one bucket. */
export interface Digest {
  count: number;
  sha256: string;
}

export const tableName = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;

/** @throws InfraError: the file is whole, but is not what this version writes */
export function parseEntry<T>(schema: z.ZodType<T>, entry: string, bytes: Buffer): T {
  try {
    return schema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (error) {
    throw new InfraError(
      `${entry} of the backup is not what it must be: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Which database and table, or which bucket, an entry is of. @throws InfraError for a name that no backup has */
export function placeOf(entry: string): { kind: string; owner: string; rest: string } {
  try {
    const [kind = "", owner = "", rest = ""] = entry.split("/").map(decodeURIComponent);
    return { kind, owner, rest };
  } catch {
    throw new InfraError(`${entry} in the backup has a name that no backup has`);
  }
}
