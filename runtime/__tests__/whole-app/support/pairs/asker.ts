// Asks for a thing of somebody else's, and for one that nobody has, by requests that differ in the id alone.
import { v7, validate as isUuid } from "uuid";
import type { Document } from "../fuzz/openapi";
import { requestFor, type PairRequest, type Slot } from "./slots";
import type { PairAnswer, PairSend, Person } from "./world";

/** Not of an answer's content. */
const CHANGING = new Set(["date", "x-encore-trace-id", "ratelimit"]);
/** Requests of a place that are tried until one gets as far as looking for the id. */
const SEEDS = 40;

/** Everything that a caller can compare: status, headers and body, without the request's own ids. */
export function comparable({ status, headers, text }: PairAnswer): string {
  const told = Object.entries(headers).filter(([name]) => !CHANGING.has(name));
  return JSON.stringify([status, told, text.replace(/"requestId":"\w+"/, '"requestId":""')]);
}

export class Asker {
  /** Of each place, the seed whose request gets furthest. */
  private readonly seeds = new Map<Slot, number>();

  constructor(
    private readonly send: PairSend,
    private readonly document: Document,
    public person: Person,
  ) {}

  request(slot: Slot, id: string, seed = this.seeds.get(slot) ?? 1): PairRequest {
    const { userId, organisationId, accessToken } = this.person;
    const own = (place: string): string => (place === "userId" ? userId : organisationId);
    const request = requestFor(this.document, slot, id, { own, seed });
    const credentials = isOfBrowser(slot) ? cookiesOf(this.person) : { authorization: `Bearer ${accessToken}` };
    return { ...request, headers: { ...request.headers, ...credentials } };
  }

  ask(slot: Slot, id: string): Promise<PairAnswer> {
    return this.send(this.request(slot, id));
  }

  /** Finds values of a place's other members with which the id is looked for, and answers what is then said of one that nobody has. */
  async prepare(slot: Slot): Promise<PairAnswer> {
    let furthest: { seed: number; answer: PairAnswer } | undefined;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const answer = await this.send(this.request(slot, missingId(), seed));
      if (furthest === undefined || answer.status === 404) furthest = { seed, answer };
      if (answer.status !== 400 || slot.operation.body === undefined) break;
    }
    this.seeds.set(slot, furthest!.seed);
    return furthest!.answer;
  }
}

/** Endpoints about the accounts of a browser, which ask for its cookies. */
const isOfBrowser = ({ operation }: Slot): boolean => operation.path.startsWith("/auth/accounts");

/** What a browser sends that is signed in to this one account. */
export const cookiesOf = ({ userId, accessToken, refreshToken }: Credentials): Record<string, string> => ({
  "sec-fetch-site": "same-origin",
  cookie: `__Host-session-0=${userId}.${accessToken}; __Host-refresh-0=${userId}.${refreshToken}; __Host-account=${userId}`,
});

type Credentials = Pick<Person, "userId" | "accessToken" | "refreshToken">;

/** Of the form of ours, and as new; in place of a name, another one of its length. */
export const missingId = (like?: string): string =>
  like === undefined || isUuid(like) ? v7() : [...like].reverse().join("");
