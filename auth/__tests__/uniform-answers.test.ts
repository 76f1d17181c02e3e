// Whether an address is registered is told neither by what is answered nor by the work that is done before it: passwords that are
// hashed and checked, which is nearly all of the time, and mails that are asked for. The attack: ask, compare, and time.
// (OWASP Authentication Cheat Sheet, "Authentication and Error Messages"; ASVS 5.0 V6.3.8.)
import { auth } from "~encore/clients";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { signInOperator } from "../operators/sign-in";
import { checkPassword, hashPassword } from "../passwords";
import { register } from "../registration";
import { signIn } from "../sessions";
import { as } from "./callers";
import { mailedToken } from "./mails";
import { here, newcomer, password, reason } from "./people";

// The real library, watched.
const { library, hash, verify, running } = await vi.hoisted(async () => {
  const real = await import("@node-rs/argon2");
  const running = { now: 0, most: 0 };
  const watched = <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    vi.fn(async (...args: Args): Promise<Result> => {
      running.most = Math.max(running.most, ++running.now);
      try {
        return await work(...args);
      } finally {
        running.now--;
      }
    });
  return { library: real, hash: watched(real.hash), verify: watched(real.verify), running };
});
vi.mock("@node-rs/argon2", () => ({ ...library, hash, verify }));
vi.hoisted(() => vi.stubEnv("PASSWORD_HASH_COST", "owasp"));

const set = (what: string, email: string): Promise<unknown> =>
  systemQuery("test", `update auth.account set ${what} where email = $1`, [email]);

/** Addresses of every kind of account, and of none. */
const addresses: Record<string, string> = {};
beforeAll(async () => {
  for (const kind of ["unverified", "verified", "without a password", "deleted"]) {
    const person = newcomer();
    const signedIn = await register(person, new Date());
    addresses[kind] = person.email;
    if (kind !== "unverified") await auth.verifyEmail({ token: await mailedToken(person.email) });
    if (kind === "without a password") await set("password_hash = null", person.email);
    if (kind === "deleted") await auth.deleteAccount(await as(signedIn));
  }
  // What a check of nobody's password is compared with is made once.
  await auth.login({ email: newcomer().email, password }).catch(() => undefined);
});

beforeEach(() => {
  hash.mockClear();
  verify.mockClear();
});

/** What who asks gets to know: the answer, without what is of the request or for the log alone, and the work. */
async function told(ask: () => Promise<unknown>): Promise<unknown> {
  const [hashed, verified] = [hash.mock.calls.length, verify.mock.calls.length];
  const answer = await ask().then(
    (value) => ({ value }),
    ({ code, message, details }: { code: string; message: string; details?: object }) => ({
      code,
      message,
      details: { ...details, requestId: undefined },
    }),
  );
  return { answer, hashed: hash.mock.calls.length - hashed, verified: verify.mock.calls.length - verified };
}
const ofAll = async (ask: (email: string) => Promise<unknown>, more: string[] = []): Promise<unknown[]> => {
  const answers: unknown[] = [];
  for (const email of [...Object.values(addresses), ...more]) answers.push(await told(() => ask(email)));
  return answers;
};

describe("is not told by", () => {
  test("signing in: one check of a password and one answer, also for who has none, is deleted, or is nobody", async () => {
    const answers = await ofAll((email) => auth.login({ email, password: "a wrong passphrase" }), [newcomer().email]);
    expect(answers[0]).toMatchObject({ answer: { code: "unauthenticated" }, hashed: 0, verified: 1 });
    expect(answers).toEqual(answers.map(() => answers[0]));
  });

  test("asking for a new password", async () => {
    const answers = await ofAll((email) => auth.forgotPassword({ email }), [newcomer().email]);
    expect(answers[0]).toEqual({ answer: { value: null }, hashed: 0, verified: 0 });
    expect(answers).toEqual(answers.map(() => answers[0]));
  });

  test("the work of registering, which does say that an address is taken: the password is hashed before", async () => {
    const answers = await ofAll((email) => register({ email, password, organisation: "Mine" }, new Date()));
    expect(answers[0]).toMatchObject({ answer: { details: { reason: "email_taken" } }, hashed: 1, verified: 0 });
    expect(answers).toEqual(answers.map(() => answers[0]));
    const free = await told(() => register(newcomer(), new Date()));
    expect(free).toMatchObject({ hashed: 1, verified: 0 });
  });

  test("moving one's own account to it", async () => {
    const by = await as(await register(newcomer(), new Date()));
    const answers = await ofAll((email) => auth.changeEmail({ email }, by), [newcomer().email]);
    expect(answers[0]).toEqual({ answer: { value: null }, hashed: 0, verified: 0 });
    expect(answers).toEqual(answers.map(() => answers[0]));
  });
});

test("no more than two passwords are hashed or checked at once, so that libuv's other threads stay free", async () => {
  running.most = 0;
  const work = [
    ...Array.from({ length: 10 }, () => reason(auth.login({ email: newcomer().email, password }))),
    ...Array.from({ length: 3 }, () => hashPassword(password)),
    ...Array.from({ length: 3 }, () => checkPassword(password, undefined)),
  ];
  expect(new Set((await Promise.all(work)).slice(0, 10))).toEqual(new Set(["invalid_credentials"]));
  expect(verify.mock.calls.length).toBe(13);
  expect(running).toEqual({ now: 0, most: 2 });
});

describe("while the line of passwords is full, who signs in goes before", () => {
  const flooding = "what a flood of them comes with";
  const signingIn = (address: string): Promise<unknown> =>
    signIn({ email: newcomer().email, password: flooding }, new Date(), address);
  const registering = (address: string): Promise<unknown> =>
    register({ ...newcomer(), password: flooding }, new Date(), null, address);
  const signingInAsOperator = (address: string): Promise<unknown> =>
    signInOperator({ email: newcomer().email, password: flooding, code: "000000" }, new Date(), address);

  /** Floods from 67 addresses: two have a turn, 64 wait, and one finds the line full. Resolves then, with how many were refused. */
  async function flood(act: (address: string) => Promise<unknown>, addressOf: (n: number) => string) {
    let end!: () => void;
    const over = new Promise<void>((done) => (end = done));
    const [usualHash, usualVerify] = [hash.getMockImplementation()!, verify.getMockImplementation()!];
    const unlessFlooding = async <T>(text: unknown, work: () => Promise<T>): Promise<T> => {
      if (text !== flooding) return work();
      await over;
      throw new Error("the flood is over");
    };
    hash.mockImplementation((text, ...rest) => unlessFlooding(text, () => usualHash(text, ...rest)));
    verify.mockImplementation((stored, text, ...rest) =>
      unlessFlooding(text, () => usualVerify(stored, text, ...rest)),
    );
    let refused = 0;
    const all = Array.from({ length: 67 }, async (_, n) => {
      if ((await reason(act(addressOf(n)))) === "service_unavailable") refused++;
    });
    onTestFinished(async () => {
      end();
      await Promise.all(all);
      hash.mockImplementation(usualHash);
      verify.mockImplementation(usualVerify);
    });
    await expect.poll(() => refused, { timeout: 10_000 }).toBe(1);
    return { refused: () => refused, end };
  }

  /** Whose place in the full line is another's that is refused instead. */
  async function goesBefore({ refused, end }: Awaited<ReturnType<typeof flood>>, work: Promise<unknown>) {
    const answer = reason(work);
    await Promise.race([expect.poll(refused, { timeout: 10_000 }).toBe(2), answer]);
    end();
    expect(await answer).toBeUndefined();
  }

  /** The n-th /56 of a /48. */
  const within = (site: string, n: number): string => `${site}:${(n << 8).toString(16)}::/64`;
  test.each<[string, (address: string) => Promise<unknown>, (n: number) => string]>([
    ["registrations from one address", registering, () => "203.0.113.7"],
    ["operators' sign-ins from one address", signingInAsOperator, () => "203.0.114.7"],
    // Which has 65,536 of what limits count as one address.
    ["sign-ins from all over a /48", signingIn, (n) => within("2001:db8:7", n)],
    ["registrations from all over a /48", registering, (n) => within("2001:db8:8", n)],
    ["sign-ins from all over an IPv4 /24", signingIn, (n) => `203.0.115.${n}`],
  ])("a flood of %s", async (_what, act, addressOf) => {
    const ada = newcomer();
    await register(ada, new Date());
    await goesBefore(await flood(act, addressOf), signIn({ email: ada.email, password }, new Date(), "198.51.100.77"));
  });

  test("a flood of addresses that never tried before, from where the account signed in before", async () => {
    const ada = newcomer();
    await register(ada, new Date(), null, "198.51.100.78");
    const flooded = await flood(signingIn, (n) => `198.20.${n}.1`);
    await goesBefore(flooded, signIn({ email: ada.email, password }, new Date(), "198.51.100.78"));
  });

  test("a flood from another address of the same office", async () => {
    const ada = newcomer();
    await register(ada, new Date());
    const flooded = await flood(signingIn, () => "2001:db8:9:1::/64");
    await goesBefore(flooded, signIn({ email: ada.email, password }, new Date(), "2001:db8:9:2::/64"));
  });

  describe("those of a flood who have tried once before, from an address that", () => {
    const floodOf = (network: number) =>
      flood(signingIn, (n) => (n < 64 ? `198.${network}.${n}.1` : `203.${network}.113.7`));
    const thrice = async (work: () => Promise<unknown>): Promise<void> => {
      for (let n = 0; n < 3; n++) await work();
    };

    test("registered others before", async () => {
      const ada = newcomer();
      await register(ada, new Date());
      const address = "198.51.101.1";
      await thrice(() => register(newcomer(), new Date(), null, address));
      await goesBefore(await floodOf(18), signIn({ email: ada.email, password }, new Date(), address));
    });

    test("signed in before, as all of an office do in the morning", async () => {
      const ada = newcomer();
      await register(ada, new Date());
      const signingInAsAda = () => signIn({ email: ada.email, password }, new Date(), "198.51.102.1");
      await thrice(signingInAsAda);
      await goesBefore(await floodOf(19), signingInAsAda());
    });
  });
});

test("a password that was hashed with older parameters is hashed anew when its person signs in, and only then", async () => {
  const ada = newcomer();
  await register(ada, new Date());
  const stored = async (): Promise<string | undefined> => {
    const text = "select password_hash as hash from auth.account where email = $1";
    return (await systemQuery<{ hash: string }>("test", text, [ada.email]))[0]?.hash;
  };
  const old = await library.hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
  await systemQuery("test", "update auth.account set password_hash = $2 where email = $1", [ada.email, old]);
  const wrong = signIn({ email: ada.email, password: "not the present one" }, new Date(), here);
  expect(await reason(wrong)).toBe("invalid_credentials");
  expect(await stored()).toBe(old);
  await signIn({ email: ada.email, password }, new Date(), here);
  const renewed = await stored();
  expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  await signIn({ email: ada.email, password }, new Date(), here);
  expect(await stored()).toBe(renewed);
});
