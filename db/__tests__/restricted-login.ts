// A database as Encore gives it to an app, on a native server: migrated by one login, used by another that is neither
// superuser nor owner, may become no other role, reads and writes through pg_read_all_data and pg_write_all_data, and
// may make schemas. `make SERVER_URL` prints both addresses of a new one, `drop SERVER_URL NAME` removes it.
import { randomBytes } from "node:crypto";
import pg from "pg";

const [command, server = "", name = `gw_external_${randomBytes(4).toString("hex")}`] = process.argv.slice(2);
const address = (user: string, password: string): string =>
  Object.assign(new URL(server), { username: user, password, pathname: `/${name}` }).href;

const client = new pg.Client({ connectionString: server });
await client.connect();
try {
  if (command === "make") {
    const password = randomBytes(12).toString("hex");
    await client.query(`create database ${name}`);
    await client.query(
      `create role ${name} login nosuperuser nobypassrls nocreaterole nocreatedb password '${password}';
       grant pg_read_all_data, pg_write_all_data to ${name}; grant create on database ${name} to ${name}`,
    );
    const { username, password: owners } = new URL(server);
    process.stdout.write(
      `name=${name}\nowner_url='${address(username, owners)}'\napp_url='${address(name, password)}'\n`,
    );
  } else if (command === "drop") {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`drop role if exists ${name}`);
  } else throw new Error("usage: restricted-login.ts make SERVER_URL | drop SERVER_URL NAME");
} finally {
  await client.end();
}
