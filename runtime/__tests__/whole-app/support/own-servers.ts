// What a whole app needs of the native servers to itself: a database, and a database of Redis, each with a login of its own.
import { Redis } from "ioredis";
import pg from "pg";
import { makeOwnDatabase } from "./own-database";
import { makeOwnRedis } from "./own-redis";

export interface OwnServers {
  /** For the app, with the logins' passwords. */
  env: { DATABASE_URL: string; REDIS_URL: string };
  passwords: { postgres: string; redis: string };
  /** Every key of its Redis with what it holds. */
  redisContents(): Promise<string>;
  drop(): Promise<void>;
}

const madePassword = (): string => `planted-${crypto.randomUUID()}`;

function withLogin(address: string, name: string, password: string): string {
  const url = new URL(address);
  url.username = name;
  url.password = password;
  return url.href;
}

/** @param suite which of them asks; it runs on native servers */
export async function makeOwnServers(suite: Parameters<typeof makeOwnRedis>[0]): Promise<OwnServers> {
  const name = suite.replaceAll("-", "_");
  const login = `groundwork_${name}_login_${process.pid}`;
  const passwords = { postgres: madePassword(), redis: madePassword() };
  const database = await makeOwnDatabase(name);
  // As the server's owner is, who makes the extension.
  await database.client.query(`create role ${login} superuser login password '${passwords.postgres}'`);
  const redis = await makeOwnRedis(suite);
  const logins = new Redis(redis.url);
  await logins.call("ACL", "SETUSER", login, "on", `>${passwords.redis}`, "~*", "&*", "+@all");
  return {
    env: {
      DATABASE_URL: withLogin(database.url, login, passwords.postgres),
      REDIS_URL: withLogin(redis.url, login, passwords.redis),
    },
    passwords,
    redisContents: () => redis.contents(),
    drop: async () => {
      await logins.call("ACL", "DELUSER", login);
      logins.disconnect();
      await redis.drop();
      await database.drop();
      const server = new pg.Client({ connectionString: process.env.GROUNDWORK_TEST_POSTGRES_URL });
      await server.connect();
      await server.query(`drop role ${login}`);
      await server.end();
    },
  };
}
