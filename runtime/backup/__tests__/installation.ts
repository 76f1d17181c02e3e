// What the suites of backups share: a small app's migrations with every kind of column, empty databases, and buckets.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ClonedDatabase, migrate } from "../../infra";
import { emptyDatabase, temporaryFolder } from "../../infra/__tests__/support";
import { openStores } from "../../objects/stores";
import { type DatabaseTarget, makeBackup, restoreBackup, type RestoreSummary } from "..";
import type { Stores } from "../bucket-objects";

/** Asks for the server's `row_security`, keys that refer to each other, and every kind of value that a text form could lose. */
export const shopMigrations: Record<string, string> = {
  "1_create_shop.up.sql": `
    create schema shop;
    create type shop.state as enum ('open', 'closed');
    create sequence shop.numbers;
    create table shop.owner (id uuid primary key, favourite bigint, name text not null);
    create table shop.item (
      id bigint generated always as identity primary key,
      owner_id uuid not null references shop.owner (id),
      state shop.state not null default 'open',
      price numeric(12, 3), ratio double precision, small real, is_new boolean, made timestamptz, day date, span interval,
      bytes bytea, doc jsonb, raw json, tags text[], keys uuid[], note text, code varchar(8), xid xid8 not null default pg_current_xact_id(),
      shown text generated always as (upper(note)) stored,
      changed integer not null default 0
    );
    alter table shop.owner add foreign key (favourite) references shop.item (id);
    create function shop.count_change() returns trigger language plpgsql as $$ begin new.changed := new.changed + 1; return new; end $$;
    create trigger counted before insert or update on shop.item for each row execute function shop.count_change();
    alter table shop.item enable row level security;
    alter table shop.item force row level security;
    create policy own on shop.item using (owner_id = nullif(current_setting('shop.owner', true), '')::uuid);
    create table public.plain (one text);`,
  "2_add_view.up.sql": "create materialized view shop.total as select count(*) as items from shop.item;",
};

export const newerMigration: Record<string, string> = {
  "3_add_discount.up.sql": "alter table shop.item add column discount integer not null default 7;",
};

export function folderWith(...files: Record<string, string>[]): string {
  const folder = join(temporaryFolder(), "migrations");
  mkdirSync(folder);
  for (const [name, sql] of Object.entries(Object.assign({}, ...files) as Record<string, string>))
    writeFileSync(join(folder, name), sql);
  return folder;
}

const owner = "0198c0de-0000-7000-8000-000000000001";

/** Two owners, four hundred items with awkward values, and a sequence that was used. */
export const fill = `
  insert into shop.owner (id, name) values ('${owner}', E'tab\\t "quoted" \\\\ back, line\\n end'), (gen_random_uuid(), '');
  insert into shop.item (owner_id, state, price, ratio, small, is_new, made, day, span, bytes, doc, raw, tags, keys, note, code)
    values ('${owner}', 'closed', 0.100, 0.1, 1.1, false, '2026-03-01 12:00:00.123456+02', '0044-03-15 BC', '1 mon -3 days 04:05:06.7',
        decode('00ff5c27', 'hex'), '{"b": [1, 2.50, null], "a": "é\\u0001"}', '{"a": 1,  "a": 2}', array['', null, 'a,b', '{"', E'\\\\'], '{}', 'ß', 'x '),
      ('${owner}', 'open', 'NaN', '-Infinity', 'NaN', null, 'infinity', null, null, '', 'null', null, null, null, null, null);
  insert into shop.item (owner_id, note, ratio, bytes)
    select '${owner}', repeat(chr(65 + n % 26), n), sqrt(n), sha256(n::text::bytea) from generate_series(1, 400) n;
  update shop.owner set favourite = 1 where id = '${owner}';
  select nextval('shop.numbers'), nextval('shop.numbers');
  refresh materialized view shop.total;
  insert into public.plain values (null), ('x'), ('x');`;

const server = { GROUNDWORK_TEST_POSTGRES_URL: process.env.GROUNDWORK_TEST_POSTGRES_URL };

export interface TestDatabase extends DatabaseTarget {
  drop(): Promise<void>;
}

/** Empty; with migrations where they are given. */
export async function testDatabase(migrationsDir: string, isMigrated: boolean): Promise<TestDatabase> {
  const clone: ClonedDatabase = await emptyDatabase(server);
  if (isMigrated) await migrate(clone.url, migrationsDir, { log: () => undefined });
  return { name: "app", url: clone.url, appUrl: clone.url, isEmbedded: false, migrationsDir, drop: () => clone.drop() };
}

export function emptyStores(objectsDir = temporaryFolder()): Stores {
  const bucket = { name: "files", public: false, versioned: false };
  return openStores({ buckets: [bucket] as never, objectsDir }).stores;
}

export const ignore = (): void => undefined;

export interface BackupOptions {
  file?: string;
  /** As in `makeBackup`: called between objects, and between pages of rows. */
  progress?(count: number, what: string): void;
}

/** @returns the file's path */
export async function backUp(database: TestDatabase, from: Stores, options: BackupOptions = {}): Promise<string> {
  const { file = join(temporaryFolder(), "b.tar.gz"), progress = ignore } = options;
  await makeBackup({ app: "shop", databases: [database], stores: from, file, now: new Date(0), progress });
  return file;
}

export interface RestoreOptions {
  overwrite?: boolean;
  into?: Stores;
  progress?(count: number, what: string): void;
}

export function restore(file: string, target: TestDatabase, options: RestoreOptions = {}): Promise<RestoreSummary> {
  const { overwrite = false, into = emptyStores(), progress = ignore } = options;
  return restoreBackup({
    file,
    databases: [target],
    stores: into,
    overwrite,
    migrateOptions: { log: ignore },
    progress,
    log: ignore,
  });
}
