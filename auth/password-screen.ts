// The screen that each new password passes, at registration, change and reset: the policy (passwords.ts), the common ones,
// words of the place and the person, leaked ones where a service is configured. Whoever signs in with an old one is not asked.
// (NIST SP 800-63B-4 §3.1.1.2; ASVS 5.0 V6.2.4, V6.2.11, V6.2.12.)
import { cfg } from "../config";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";
import { askForBreaches, type BreachConfig } from "./breached-passwords";
import { errors } from "./errors";
import { normalisePassword, PASSWORD_MIN_CHARS, passwordProblem } from "./passwords";
import { membershipListOfAccount } from "./store/memberships";

export interface WordsAbout {
  email: string;
  /** Of their organisations. */
  names: readonly string[];
}

/** What is known of an account that exists. */
export async function wordsAbout(accountId: string, email: string): Promise<WordsAbout> {
  const organisations = await membershipListOfAccount(accountId, ORGANISATIONS_PER_ACCOUNT_MAX);
  return { email, names: organisations.map(({ name }) => name) };
}

/** @throws APIError weak_password; password_unchecked where an operator prefers that to an unasked service. */
export async function screenPassword(password: string, about: WordsAbout, config: BreachConfig = cfg): Promise<void> {
  const problem =
    passwordProblem(password, about.email) ??
    ((await isAmongCommon(password)) ? "is among the most common passwords" : undefined) ??
    contextProblem(password, about);
  if (problem !== undefined) throw errors.weak_password({ fields: { password: problem } });
  const answer = await askForBreaches(normalisePassword(password), config);
  if (answer === "found") throw errors.weak_password({ fields: { password: "is among leaked passwords" } });
  if (answer === "away" && config.auth.breachedPasswords.whenAway === "refuse") throw errors.password_unchecked();
}

let common: Promise<ReadonlySet<string>> | undefined;

/** The 18,000 most common ones that the policy would accept, from public counts of leaked ones; loaded when first needed. */
async function isAmongCommon(password: string): Promise<boolean> {
  return (await readCommonPasswords()).has(normalisePassword(password).toLowerCase());
}

/** Called when the service starts too: unpacking them in the middle of requests would hold those up. */
export function readCommonPasswords(): Promise<ReadonlySet<string>> {
  common ??= loadCommon();
  return common;
}

async function loadCommon(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  const all: readonly (string | number)[] = dictionary["passwords-common"];
  return new Set(all.map(String).filter((text) => text.length >= PASSWORD_MIN_CHARS));
}

const PRODUCT = "groundwork";
/** Shorter ones are in too many innocent passwords. */
const WORD_MIN_CHARS = 4;

/** Letters that people write otherwise. */
const PLAIN: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
};

/** Of a text that has more than `unitsMax` no more than what shows it. */
function lettersAndDigits(text: string, unitsMax = Infinity): string {
  let found = "";
  for (const [some] of text
    .normalize("NFKC")
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}]{1,32}/gu)) {
    found += some;
    if (found.length > unitsMax) break;
  }
  return found;
}
const plain: typeof lettersAndDigits = (text, unitsMax) =>
  lettersAndDigits(
    text.replace(/[013457@$!]/g, (one) => PLAIN[one] ?? one),
    unitsMax,
  );
const FORMS = [lettersAndDigits, plain] as const;

/**
 * What is left of it without a word of the context must still be long enough. A hundred organisations may have names of the letters
 * that become eighteen: of each no more is looked at than a password has.
 */
function contextProblem(password: string, { email, names }: WordsAbout): string | undefined {
  const local = email.slice(0, email.indexOf("@"));
  const words = new Set([PRODUCT, hostOf(cfg.appUrl), local, ...local.split(/[^\p{L}\p{N}]+/u), ...names]);
  const isMade = FORMS.some((form) => {
    const text = form(password);
    return [...words].some((word) => isMadeOf(text, form(word, text.length)));
  });
  return isMade ? "is made of your e-mail, or of a name of this place or your organisation" : undefined;
}

const isMadeOf = (text: string, word: string): boolean =>
  text.includes(word) && charsOf(word) >= WORD_MIN_CHARS && charsOf(text.replaceAll(word, "")) < PASSWORD_MIN_CHARS;

const charsOf = (text: string): number => [...text].length;

/** The name in an address of the web: "acme" of app.acme.example. */
const hostOf = (url: string): string => new URL(url).hostname.split(".").at(-2) ?? "";
