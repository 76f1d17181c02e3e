// Following an inbox: each entry once and in order, whoever comes again goes on behind what they have, and who was put out gets no more.
import { notifications } from "~encore/clients";
import { PassThrough } from "node:stream";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Reading } from "../../../db/acting";
import { runRelayAndWorkers } from "../../../testing";
import { decideAbout } from "../fan-out";
import "../jobs";
import { admitFollower, followInbox } from "../stream";
import { found, joinMember, reason, sendTo, type Member } from "./people";

const MISSED = 102;

interface Seen {
  name: string;
  id: number;
  data: { id?: string; unread?: number };
}

/** Somebody who follows from behind entry `after`. */
function follow(member: Member, after: number, reading: Reading = { mayGoOn: () => Promise.resolve(true) }) {
  const out = new PassThrough();
  let text = "";
  out.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const over = followInbox(member.principal, { after, reading }, out);
  onTestFinished(() => void out.destroy());
  const seen = (): Seen[] =>
    [...text.matchAll(/^event: (\w+)\nid: (\d+)\ndata: (.*)$/gm)].map(([, name = "", id, data = "{}"]) => ({
      ...{ name, id: Number(id) },
      data: JSON.parse(data) as Seen["data"],
    }));
  const told = (): (string | undefined)[] =>
    seen().flatMap(({ name, data }) => (name === "notification" ? [data.id] : []));
  return { over, seen, told, leave: () => void out.destroy() };
}

const until = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 30_000, interval: 25 });

describe("while relay and workers run", () => {
  runRelayAndWorkers();

  test("tells of each entry in the inbox's order, and of what is unread whenever that changes", async () => {
    const owner = await found();
    const ada = await joinMember(owner);
    const stream = follow(ada, 0);
    await until(() => expect(stream.seen()).toEqual([{ name: "badge", id: 0, data: { unread: 0 } }]));
    const first = await sendTo(owner, [ada]);
    await until(() => expect(stream.told()).toEqual([first]));
    const second = await sendTo(owner, [ada, owner]);
    await until(() => expect(stream.told()).toEqual([first, second]));
    await notifications.markRead({ id: first }, ada);
    await until(() => expect(stream.seen().at(-1)).toEqual({ name: "badge", id: 2, data: { unread: 1 } }));
    await notifications.archive({ id: second }, ada);
    await until(() => expect(stream.seen().at(-1)).toEqual({ name: "badge", id: 2, data: { unread: 0 } }));
    expect(stream.seen()[1]).toMatchObject({ name: "notification", id: 1, data: { id: first, title: "Your invoice" } });
    stream.leave();
    await stream.over;
  });

  test("nobody is told of what is another's, in their organisation or elsewhere", async () => {
    const [owner, stranger] = [await found(), await found()];
    const ada = await joinMember(owner);
    const [bystander, elsewhere] = [follow(owner, 0), follow(stranger, 0)];
    const stream = follow(ada, 0);
    await sendTo(owner, [ada]);
    await until(() => expect(stream.told()).toHaveLength(1));
    expect([...bystander.told(), ...elsewhere.told()]).toEqual([]);
  });

  test("who may not any more is told nothing more", async () => {
    const owner = await found();
    let may = true;
    const stream = follow(owner, 0, { mayGoOn: () => Promise.resolve(may) });
    await until(() => expect(stream.seen()).toHaveLength(1));
    may = false;
    await sendTo(owner, [owner]);
    await stream.over;
    expect(stream.told()).toEqual([]);
  });
});

// Decided about here: a hundred notifications with all that comes of them take the workers many seconds.
test("who comes again with the last id misses none and gets none twice, also what came meanwhile", async () => {
  const owner = await found();
  const ids: string[] = [];
  const receive = async (): Promise<void> => {
    const id = await sendTo(owner, [owner]);
    await decideAbout(owner, id, [owner.id]);
    ids.push(id);
  };
  const before = follow(owner, 0);
  await receive();
  await receive();
  await until(() => expect(before.told()).toHaveLength(2));
  before.leave();
  await before.over;
  // More than a page of the stream's.
  for (let n = 0; n < MISSED; n++) await receive();
  const again = follow(owner, before.seen().at(-1)!.id);
  await until(() => expect(again.told()).toHaveLength(MISSED));
  expect(new Set([...before.told(), ...again.told()])).toEqual(new Set(ids));
});

test("eight streams at once are enough for one", async () => {
  const { principal } = await found();
  const leaves = Array.from({ length: 8 }, () => admitFollower(principal));
  expect(await reason(Promise.resolve().then(() => admitFollower(principal)))).toBe("rate_limited");
  leaves[0]?.();
  admitFollower(principal)();
  for (const leave of leaves) leave();
});
