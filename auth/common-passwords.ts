// The passwords guessed first, from public counts of leaked ones, as far as they are long enough to get past
// the length rule. Everything is compared in lower case with digits and signs at the end removed, so that
// "Password2024!" is "password". A short list: rate limits stop what is left (NIST SP 800-63B §5.1.1.2).

const STEMS = [
  "password passwort passw0rd p@ssword p@ssw0rd passphrase motdepasse contrasena wachtwoord",
  "qwertyui qwertyuiop qwerty qwertz qwertzuiop azertyuiop asdfghjk asdfghjkl zxcvbnm 1q2w3e4r 1qaz2wsx 1q2w3e4r5t qazwsxedc q1w2e3r4 zaq12wsx qwer1234",
  "iloveyou princess sunshine football baseball basketball superman batman starwars trustno dragon monkey shadow master michael jennifer jordan liverpool chelsea arsenal",
  "welcome letmein whatever computer internet samsung google facebook microsoft windows administrator admin changeme default secret security access testtest test guest root user login temp",
  "abcdefgh abcd1234 abc123 aaaaaaaa 11111111 00000000 12345678 123456789 1234567890 87654321 0987654321 123123123 12341234 147258369 987654321 11223344 a1b2c3d4 asdf1234",
  "spring summer autumn winter january february monday friday company groundwork",
];

const stems: ReadonlySet<string> = new Set(STEMS.flatMap((line) => line.split(" ")));

/** Up to the last letter. A replacement of /[^letter]+$/ would take a quadratic time for a long row of digits. */
function withoutTail(password: string): string {
  const characters = [...password];
  return characters.slice(0, characters.findLastIndex((one) => /\p{L}/u.test(one)) + 1).join("");
}

/** True when the password, or what is left of it without trailing digits and signs, is on the list. */
export function isCommonPassword(password: string): boolean {
  const lower = password.toLowerCase();
  return stems.has(lower) || stems.has(withoutTail(lower));
}
