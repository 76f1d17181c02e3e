// A thousand people who follow their inboxes while several decide at once and half of the streams break: the embedded database has one
// session, so numbers are given one after the other there anyway.
import { PassThrough } from "node:stream";
import { afterAll, expect, test, vi } from "vitest";
import { systemQuery } from "../../../db/tenant";
import { concurrent } from "../../../testing";
import { decideAbout } from "../fan-out";
import { followInbox } from "../stream";
import { found, sendTo, type Member } from "./people";
import { createCaller } from "../../../testing";

const PEOPLE = 1_000;
const ROUNDS = 6;
const open = new Set<PassThrough>();
afterAll(() => {
  for (const out of open) out.destroy();
});

async function crowd(owner: Member): Promise<Member[]> {
  const people = Array.from({ length: PEOPLE }, (): Member => {
    const caller = createCaller("member", owner);
    return { ...caller, id: caller.principal.subjectId, email: `${caller.principal.subjectId}@example.com` };
  });
  await systemQuery(
    "test",
    `with account as (insert into auth.account (id, email, email_verified_at) select u, u || '@example.com', now() from unnest($1::uuid[]) u returning id)
     insert into auth.membership (tenant_id, account_id, role) select $2, id, 'member' from account`,
    [people.map(({ id }) => id), owner.tenantId],
  );
  return people;
}

class Follower {
  readonly told: string[] = [];
  private seq = 0;
  private out = new PassThrough();

  constructor(private readonly member: Member) {}

  begin(): void {
    const out = (this.out = new PassThrough());
    open.add(out);
    let text = "";
    out.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      // A stream may break within an event: what is not whole was not seen.
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        this.take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    });
    void followInbox(
      this.member.principal,
      { after: this.seq, reading: { mayGoOn: () => Promise.resolve(true) } },
      out,
    );
  }

  breakOff(): void {
    open.delete(this.out);
    this.out.destroy();
  }

  private take(event: string): void {
    const [, name, id, data = "{}"] = /^event: (\w+)\nid: (\d+)\ndata: (.*)$/.exec(event) ?? [];
    if (name === "notification") this.told.push((JSON.parse(data) as { id: string }).id);
    if (id !== undefined) this.seq = Number(id);
  }
}

test("a thousand see each notification exactly once, though half of their streams break and several decide at once", async () => {
  const owner = await found();
  const people = await crowd(owner);
  const bytes = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = bytes();
  const followers = people.map((member) => new Follower(member));
  for (const follower of followers) follower.begin();
  await vi.waitFor(() => expect(open.size).toBe(PEOPLE));
  const sent: string[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const batches = Array.from({ length: PEOPLE / 100 }, (_, at) => people.slice(at * 100, at * 100 + 100));
    const ids = await Promise.all(batches.map((batch) => sendTo(owner, batch, { category: `round.${round}` })));
    if (round === 2) for (const follower of followers.slice(0, PEOPLE / 2)) follower.breakOff();
    const ended = await concurrent(ids.length * 2, (at) =>
      decideAbout(
        owner,
        ids[at % ids.length]!,
        batches[at % ids.length]!.map(({ id }) => id),
      ),
    );
    expect(ended.filter(({ status }) => status === "rejected")).toEqual([]);
    if (round === 3) for (const follower of followers.slice(0, PEOPLE / 2)) follower.begin();
    sent.push(ids);
  }
  const resumedAt = performance.now();
  await vi.waitFor(() => expect(followers.filter(({ told }) => told.length < ROUNDS)).toHaveLength(0), {
    timeout: 60_000,
    interval: 100,
  });
  const wholeMs = Math.round(performance.now() - resumedAt);
  followers.forEach(({ told }, at) => expect(told).toEqual(sent.map((ids) => ids[Math.floor(at / 100)])));
  const each = Math.round((bytes() - before) / PEOPLE / 1_024);
  process.stdout.write(
    `${PEOPLE} followers, ${ROUNDS} each: all ${wholeMs} ms behind the last decision; ${each} KB of heap a follower\n`,
  );
});
