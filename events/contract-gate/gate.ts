// What may become of the committed contracts, asked by `npm run gen` and by a test of every build:
//
//   new type            begins with version 1
//   new version         follows the one before it without a gap, and has an upcaster that reads it
//   changed contract    holds both ways (compatibility.ts), or is refused
//   deprecated          names a day a month ahead or more, which may be put off and not brought forward, and what comes instead
//   removed             when the day is past and nothing of it can be stored any more: until then the version is read
//
// Who still emits a version whose day is past is found by `npm run arch` (rule deprecated-events).
import { DEPRECATION, type JsonSchema, contractOf } from "../contracts";
import type { Deprecation, EventDefinition } from "../event";
import { breakingChanges } from "./compatibility";
import { samplesOf } from "./samples";
import { shown } from "./misfit";

/** Least days between the notice and the end, so that who consumes can follow. */
export const NOTICE_DAYS_MIN = 30;
/** Days for which an event may be read after it was emitted: dead letters are kept longest (retention.ts). */
export const STORED_DAYS_MAX = 90;

export interface Catalogues {
  /** By key: what is committed. */
  readonly committed: ReadonlyMap<string, JsonSchema>;
  /** By key: what the sources say. */
  readonly catalog: ReadonlyMap<string, EventDefinition>;
  /** YYYY-MM-DD. */
  readonly today: string;
}

/** Everything that is refused, as "key: reason: remedy"; empty when the contracts may be written. */
export function refusals(catalogues: Catalogues): string[] {
  const { committed, catalog } = catalogues;
  const removed = [...committed.keys()]
    .filter((key) => !catalog.has(key))
    .flatMap((key) => of(key, removal(catalogues, key)));
  const kept = [...catalog.values()].flatMap((definition) => {
    const previous = committed.get(definition.key);
    const found = previous ? changes(previous, definition) : additions(catalogues, definition);
    return of(definition.key, [...found, ...notice(catalogues, definition), ...upcasting(definition)]);
  });
  return [...removed, ...kept];
}

const of = (key: string, reasons: readonly string[]): string[] => reasons.map((reason) => `${key}: ${reason}`);
const noticeOf = (contract: JsonSchema | undefined): Deprecation | undefined =>
  contract?.[DEPRECATION] as Deprecation | undefined;

function removal({ committed, today }: Catalogues, key: string): string[] {
  const ends = noticeOf(committed.get(key))?.until;
  if (ends === undefined)
    return ["was removed while events of it may be stored: declare it deprecated, with a day, and remove it later"];
  const free = addDays(ends, STORED_DAYS_MAX);
  return today > free ? [] : [`was removed while events of it may be stored: keep the definition until ${free}`];
}

function changes(previous: JsonSchema, definition: EventDefinition): string[] {
  const { type, version, key } = definition;
  const instead = `, or declare ${type}@${version + 1} with an upcaster from ${key}`;
  const broken = breakingChanges(previous, contractOf(definition)).map((sentence) => `${sentence}${instead}`);
  const [was, is] = [noticeOf(previous), definition.deprecated];
  if (was && is && is.until < was.until)
    broken.push(`its end was brought forward from ${was.until} to ${is.until}: consumers were told the later day`);
  return broken;
}

function additions({ committed, catalog }: Catalogues, { type, version, upcast }: EventDefinition): string[] {
  const versions = [...committed.keys()]
    .filter((key) => key.startsWith(`${type}@`))
    .map((key) => Number(key.split("@")[1]));
  if (versions.some((known) => known > version))
    return [`version ${version} was there before: take a number above ${Math.max(...versions)}`];
  const before = `${type}@${version - 1}`;
  if (version === 1) return [];
  if (!catalog.has(before))
    return [`begins at version ${version} without ${before}: number versions from 1, without a gap`];
  return upcast
    ? []
    : [`has no upcaster: stored events of ${before} must be readable by its consumers, add upcastFrom(…)`];
}

function notice({ catalog, committed }: Catalogues, { key, deprecated }: EventDefinition): string[] {
  if (!deprecated) return [];
  const { since, until, successor } = deprecated;
  if (![since, until].every(isDay))
    return [`is deprecated since ${shown(since)} until ${shown(until)}: write YYYY-MM-DD`];
  const found: string[] = [];
  const soonest = addDays(since, NOTICE_DAYS_MIN);
  if (until < soonest)
    found.push(`ends on ${until}, ${NOTICE_DAYS_MIN} days after ${since} at the soonest: ${soonest}`);
  if (successor !== undefined && !catalog.has(successor))
    found.push(`is followed by ${successor}, which is not in the catalogue: declare it first`);
  else if (successor !== undefined && (catalog.get(successor)?.deprecated || successor === key))
    found.push(`is followed by ${successor}, which ends itself: name one that stays`);
  if (committed.has(key)) return found;
  return [...found, "is new and deprecated at once: nobody can have used it"];
}

/** Runs the upcaster on samples of what it reads. */
function upcasting({ payload, upcast }: EventDefinition): string[] {
  if (!upcast) return [];
  let samples: unknown[];
  try {
    samples = samplesOf(contractOf(upcast.from)).filter((sample) => upcast.from.payload.safeParse(sample).success);
  } catch (error) {
    return [`its upcaster cannot be tried, ${upcast.from.key}: ${(error as Error).message}`];
  }
  if (samples.length === 0)
    return [`its upcaster cannot be tried: no sample fits ${upcast.from.key}, give its fields examples`];
  for (const sample of samples) {
    const reason = misreading(() => upcast.apply(upcast.from.payload.parse(sample)), payload);
    if (reason) return [`its upcaster makes of ${shown(sample)} what does not fit: ${reason}`];
  }
  return [];
}

function misreading(read: () => unknown, payload: EventDefinition["payload"]): string | undefined {
  try {
    const result = payload.safeParse(read());
    const issue = result.error?.issues[0];
    return issue && `${["payload", ...issue.path.map(String)].join(".")}: ${issue.message}`;
  } catch (error) {
    return `it throws ${String(error)}`;
  }
}

/** Not the 30th of February, which Date.parse takes for the 2nd of March. */
const isDay = (text: string): boolean => !Number.isNaN(Date.parse(text)) && addDays(text, 0) === text;

function addDays(day: string, days: number): string {
  return new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);
}
