// One-time tokens: what a link in a mail carries. States of one: stored → used | replaced by a newer one of the same
// purpose | expired. It has 256 random bits; the database has its SHA-256 alone. It is made by the job that sends the
// mail, when it runs, so that no secret rests in the outbox or a queue; a job that is tried again makes another one.
// It stands in the fragment of the link: browsers send that to nobody, in no request line and no Referer.
// Sources: OWASP Forgot Password Cheat Sheet (URL tokens), ASVS 5.0 V6.4, better-auth #11023 (a token must name the
// account and the address that it was made for, not the address alone).
import { createHash, randomBytes } from "node:crypto";

export interface NewOneTimeToken {
  text: string;
  hash: Buffer;
}

export function createOneTimeToken(random: Buffer = randomBytes(32)): NewOneTimeToken {
  const text = random.toString("base64url");
  return { text, hash: hashOneTimeToken(text) };
}

/** What the store keeps. Any text has one: what is no token of ours is found nowhere. */
export const hashOneTimeToken = (text: string): Buffer => createHash("sha256").update(text).digest();
