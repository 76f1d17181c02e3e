// How bytes travel: places, senders and readers that are slow, requests that are refused. No database and no HTTP.
import { PassThrough, Readable, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { reasonOf } from "../../../security/errors";
import { errors } from "../errors";
import { linger } from "../linger";
import { fileOfForm } from "../multipart";
import { Places, untilGivenUp, type Place } from "../places";
import { sendParts } from "../sending";

const outcome = (act: () => unknown): string | undefined => {
  try {
    act();
    return "done";
  } catch (error) {
    return reasonOf(error);
  }
};

describe("places", () => {
  test("are eight for an organisation, and two once they are scarce: four that fill theirs leave some for others", () => {
    const places = new Places(errors.uploads_waiting);
    const taken: Place[] = [];
    const take = (tenantId: string): string | undefined => outcome(() => taken.push(places.take(tenantId)));
    for (const tenant of ["a", "b", "c"]) {
      for (let own = 0; own < 8; own++) expect(take(tenant)).toBe("done");
      expect(take(tenant)).toBe("uploads_waiting");
    }
    expect([take("d"), take("d"), take("d")]).toEqual(["done", "done", "uploads_waiting"]);
    for (const tenant of ["e", "f", "g"]) expect([take(tenant), take(tenant)]).toEqual(["done", "done"]);
    expect(take("h")).toBe("uploads_waiting");
    taken[0]?.leave();
    expect(take("h")).toBe("done");
  });

  test("are given up by who is slow with a part, once they are scarce; not while it is our turn", async () => {
    let nowMs = 0;
    const places = new Places(errors.uploads_waiting, () => nowMs);
    const held = Array.from({ length: 24 }, (_, at) => places.take(`of ${at % 3}`));
    const [slow, ours, quick, ...others] = held;
    let done = (): void => undefined;
    const turn = ours!.ours(() => new Promise<void>((resolve) => (done = () => resolve())));
    nowMs = 60_000;
    await quick!.ours(() => Promise.resolve());
    nowMs = 60_001;
    for (const other of others) await other.ours(() => Promise.resolve());
    expect(slow!.signal.aborted).toBe(false);
    places.take("another");
    expect([slow, ours, quick].map((place) => place!.signal.aborted)).toEqual([true, false, false]);
    expect(reasonOf(slow!.signal.reason)).toBe("uploads_waiting");
    done();
    await turn;
  });

  test("end a source that brings nothing, and pass on what one brings", async () => {
    const giveUp = new AbortController();
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from("a");
      await new Promise(() => undefined);
    }
    const got: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const bytes of untilGivenUp(source(), giveUp.signal)) {
        got.push(bytes.toString());
        setImmediate(() => giveUp.abort(new Error("too slow")));
      }
    })();
    await expect(reading).rejects.toThrow("too slow");
    expect(got).toEqual(["a"]);
  });
});

describe("a file that is handed out", () => {
  const place = (): Place => new Places(errors.downloads_waiting).take("a");
  async function* parts(asked: number[], count: number): AsyncGenerator<Buffer> {
    for (let at = 1; at <= count; at++) {
      asked.push(at);
      yield await Promise.resolve(Buffer.alloc(200_000, at));
    }
  }

  test("comes a part at a time, as fast as its reader takes it", async () => {
    const asked: number[] = [];
    const told: number[] = [];
    const reader = new Writable({
      write(piece: Buffer, _encoding, done) {
        told.push(piece.length);
        // Of the parts behind this one none is fetched yet.
        expect(asked.length).toBeLessThanOrEqual(piece[0]!);
        setImmediate(done);
      },
    });
    await sendParts({ first: Buffer.alloc(200_000, 0), rest: parts(asked, 3) }, reader, place());
    expect(reader.writableFinished).toBe(true);
    expect(told.reduce((sum, bytes) => sum + bytes, 0)).toBe(800_000);
    expect(asked).toEqual([1, 2, 3]);
  });

  test("goes no further when its reader takes nothing in time, leaves, or is given up", async () => {
    const asked: number[] = [];
    const stuck = (): Writable => new Writable({ write: () => undefined });
    const late = stuck();
    await sendParts({ first: Buffer.alloc(200_000), rest: parts(asked, 3) }, late, place(), 1);
    const leaving = stuck();
    setImmediate(() => leaving.destroy());
    await sendParts({ first: Buffer.alloc(200_000), rest: parts(asked, 3) }, leaving, place());
    const slow = stuck();
    const giveUp = new AbortController();
    setImmediate(() => giveUp.abort());
    const given = { ...place(), signal: giveUp.signal };
    await sendParts({ first: Buffer.alloc(200_000), rest: parts(asked, 3) }, slow, given);
    expect([late, leaving, slow].map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
    expect(asked).toEqual([]);
  });
});

describe("a request that is refused", () => {
  test("is read on, so that its answer arrives, but not without end", async () => {
    const rest = Readable.from([Buffer.alloc(10), Buffer.alloc(10)]);
    linger(rest, { bytes: 20 });
    await new Promise((resolve) => rest.once("end", resolve));
    const endless = new Readable({ read: (size) => void endless.push(Buffer.alloc(size)) });
    linger(endless, { bytes: 1_000_000 });
    await new Promise((resolve) => endless.once("close", resolve));
    expect(endless.readableEnded).toBe(false);
    const silent = new Readable({ read: () => undefined });
    linger(silent, { ms: 1 });
    await new Promise((resolve) => silent.once("close", resolve));
  });

  test("is read on behind a form whose file nobody reads, too", async () => {
    const body = new PassThrough();
    body.write(`--b\r\ncontent-disposition: form-data; name="file"; filename="tea.txt"\r\n\r\nwords`);
    const { fileName } = await fileOfForm(body, { "content-type": "multipart/form-data; boundary=b" });
    expect(fileName).toBe("tea.txt");
    // More than all buffers on the way to a reader take.
    for (let sent = 0; sent < 40; sent++) body.write(Buffer.alloc(100_000, 97));
    body.end();
    const ended = new Promise((resolve) => body.once("end", resolve));
    linger(body);
    await ended;
  });
});
