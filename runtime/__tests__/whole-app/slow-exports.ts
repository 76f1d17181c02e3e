// Part of acting.pg.test.ts and, in `npm test`, of every-endpoint.test.ts: exports whose readers are slow. Each holds a page and a
// connection, so an organisation has three at most, of whichever kind.
import { describe, expect, test } from "vitest";

interface Owner {
  organisationId: string;
  token: string;
}

interface SlowExports {
  baseUrl: () => string;
  /** Registers the owner of an organisation of their own. */
  register: () => Promise<Owner>;
  /** In the app's database, past its guard. */
  query: (sql: string, params: unknown[]) => Promise<unknown>;
}

const MOST = 3;

export const exportsOf = ({ organisationId }: Pick<Owner, "organisationId">): [log: string, all: string] => [
  "/auth/audit/export",
  `/auth/organisations/${organisationId}/export`,
];

export function slowExports({ baseUrl, register, query }: SlowExports): void {
  const get = (path: string, { token }: Owner, signal: AbortSignal | null = null): Promise<Response> =>
    fetch(`${baseUrl()}${path}`, { headers: { authorization: `Bearer ${token}` }, signal });
  const outcome = async (path: string, owner: Owner): Promise<string> => {
    const answer = await get(path, owner);
    const text = await answer.text();
    return answer.status === 200 ? "200" : `${answer.status} ${/"reason":"(\w+)"/.exec(text)?.[1]}`;
  };

  describe("an export", () => {
    test("is one of three of its organisation at most, of whichever kind, while readers are slow; who leaves makes room", async () => {
      const [owner, other] = [await register(), await register()];
      // More than what lies between the app and a reader that takes nothing.
      await query(
        `insert into vectors.document (id, tenant_id, source, title, text, text_hash, status, chunk_count)
         select gen_random_uuid(), $1, 'd' || n, 't', repeat('x', 400000), ''::bytea, 'ready', 1 from generate_series(1, 100) n`,
        [owner.organisationId],
      );
      const [log, all] = exportsOf(owner);
      const leaving = new AbortController();
      const readers: number[] = [];
      for (let n = 0; n < MOST; n++) readers.push((await get(all, owner, leaving.signal)).status);
      expect(readers).toEqual(Array(MOST).fill(200));
      for (const path of [log, all]) expect([path, await outcome(path, owner)]).toEqual([path, "429 rate_limited"]);
      expect(await outcome("/auth/me", owner)).toBe("200");
      for (const path of exportsOf(other)) expect([path, await outcome(path, other)]).toEqual([path, "200"]);
      leaving.abort();
      await expect.poll(() => outcome(log, owner), { timeout: 60_000 }).toBe("200");
      await query("delete from vectors.document where tenant_id = $1", [owner.organisationId]);
      // Each that has ended made room, also where it was refused.
      for (let n = 0; n <= MOST; n++)
        for (const path of exportsOf(owner)) expect([path, await outcome(path, owner)]).toEqual([path, "200"]);
    });
  });
}
