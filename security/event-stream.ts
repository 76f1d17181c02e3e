// Following what changes as server-sent events (WHATWG HTML §9.2): what there is to tell at once, and again after each change. An
// event's id says how far its reader is: who comes again with Last-Event-ID misses none and gets none twice. What a slow reader
// has not read yet is asked for when it reads: nothing is gathered for anybody, so a follower costs its connection alone.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Writable } from "node:stream";
import { logger } from "../telemetry/logger";
import { isDraining } from "../telemetry/shutdown";
import { commonErrors } from "./common-errors";
import { writeToReader } from "./slow-reader";
import { UnderWay } from "./under-way";

const LOOK_MS = 400;
/** A comment in between keeps proxies from ending a quiet stream. */
const QUIET_MS = 15_000;
const STREAMS_OF_CALLER_MAX = 8;
const STREAMS_MAX = 2_000;

export interface FollowedKind<Thing> {
  /** The room, in logs. */
  room: string;
  /** In logs. */
  streams: string;
  keyOf: (thing: Thing) => string;
  /** One question for all streams of the process: something that is another after each change, by key; absent of what is gone. */
  versionsOf: (things: readonly Thing[]) => Promise<ReadonlyMap<string, string>>;
}

/** What is told next, and whether there is more at once, after the next change, or never. */
export interface Told {
  texts: readonly string[];
  then: "more" | "change" | "end";
}

interface Follower<Thing> {
  thing: Thing;
  /** Resolves the wait for a change. */
  wake: () => void;
  seen: string;
}

/** The look at all streams belongs to no request. */
const outside = AsyncLocalStorage.snapshot();

/** The streams of this process that follow things of one kind. */
export class Following<Thing> {
  private readonly followers = new Set<Follower<Thing>>();
  private readonly streams = new UnderWay({ ofOne: STREAMS_OF_CALLER_MAX, inAll: STREAMS_MAX });
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly kind: FollowedKind<Thing>) {}

  /** Counts one more of the caller; what it answers ends that. @throws APIError rate_limited, for a caller with too many streams */
  admit(caller: string): () => void {
    const leave = this.streams.enter(caller);
    if (leave !== undefined) return leave;
    throw commonErrors.rate_limited({
      retryAfterSeconds: 5,
      internal: `too many ${this.kind.streams} of ${caller}, or in all: ${this.streams.inAll}`,
    });
  }

  /** Resolves when all is told, the reader has left or was put out, or the process drains. */
  async follow(
    thing: Thing,
    reading: { mayGoOn: () => Promise<boolean> },
    to: Writable,
    tell: () => Promise<Told>,
  ): Promise<void> {
    const follower: Follower<Thing> = { thing, wake: () => undefined, seen: "" };
    this.followers.add(follower);
    const left = (): void => follower.wake();
    to.once("close", left);
    try {
      while (!to.destroyed && !isDraining() && (await reading.mayGoOn())) {
        const changed = this.change(follower);
        const { texts, then } = await tell();
        if (texts.length > 0 && !(await writeToReader(to, texts.join("")))) return;
        if (then === "more") continue;
        if (then === "end") return;
        if ((await changed) === "quiet" && !(await writeToReader(to, ": \n\n"))) return;
      }
    } finally {
      this.followers.delete(follower);
      to.off("close", left);
    }
  }

  /** Also when the reader leaves. */
  private change(follower: Follower<Thing>): Promise<"changed" | "quiet"> {
    this.timer ??= outside(() => this.lookLater());
    return new Promise((resolve) => {
      const quiet = setTimeout(() => resolve("quiet"), QUIET_MS).unref();
      follower.wake = () => {
        clearTimeout(quiet);
        resolve("changed");
      };
    });
  }

  private lookLater(): NodeJS.Timeout {
    return setTimeout(() => void this.look(), LOOK_MS).unref();
  }

  private async look(): Promise<void> {
    const { room, streams, keyOf, versionsOf } = this.kind;
    try {
      const things = new Map([...this.followers].map(({ thing }) => [keyOf(thing), thing]));
      const versions = await versionsOf([...things.values()]);
      for (const follower of this.followers) {
        const now = versions.get(keyOf(follower.thing)) ?? "gone";
        if (now !== follower.seen || isDraining()) follower.wake();
        follower.seen = now;
      }
    } catch (error) {
      logger(room).warn({ err: error }, `whether what the ${streams} follow has changed could not be asked`);
    }
    this.timer = this.followers.size === 0 ? undefined : this.lookLater();
  }
}

export const eventText = (name: string, id: number, data: unknown): string =>
  `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;

/** How far its reader is, by Last-Event-ID; undefined for what is no id of ours. */
export function placeIn(sent: string | string[] | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const place = typeof sent === "string" && sent !== "" ? Number(sent) : NaN;
  return Number.isInteger(place) && place >= 0 && place <= max ? place : undefined;
}

/** The head of the answer. From here on a failure has no answer any more: the stream ends. */
export function beginEventStream(response: { setHeader: (name: string, value: string) => unknown }): void {
  response.setHeader("content-type", "text/event-stream");
  response.setHeader("cache-control", "no-store");
  // nginx would gather what is written.
  response.setHeader("x-accel-buffering", "no");
}
