// More sessions than an account may have: which of them end.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { register, type Registered } from "../registration";
import { refreshSession, SESSIONS_PER_ACCOUNT_MAX, signIn } from "../sessions";
import { as, identify } from "./callers";
import { count, here, newcomer, password, reason, start } from "./people";

const somebody = async (): Promise<Registered & { email: string }> => {
  const wanted = newcomer();
  return { ...(await register(wanted, new Date())), email: wanted.email };
};

describe("a sign-in", () => {
  test("beyond a hundred sessions of one account ends the oldest", async () => {
    const person = newcomer();
    const first = await register(person, start);
    const { organisation, user } = first;
    await systemQuery(
      "test",
      `insert into auth.session (id, organisation_id, account_id, created_at, expires_at, family_hash, secret_hash)
       select gen_random_uuid(), $1, $2, now() + make_interval(secs => n), now() + interval '1 day', sha256('f'), sha256('s')
       from generate_series(1, $3::int) n`,
      [organisation.id, user.id, SESSIONS_PER_ACCOUNT_MAX + 5],
    );
    await signIn({ email: person.email, password }, start, here);
    expect(await count(`auth.session where account_id = '${user.id}'`)).toBe(SESSIONS_PER_ACCOUNT_MAX);
    expect(await reason(refreshSession(first.refreshToken, start, here))).toBe("refresh_token_invalid");
  });

  test("beyond so many ends access tokens too: of an account's oldest, and of a sign-in's by a switch", async () => {
    const [ada, bob] = [await somebody(), await somebody()];
    const more = `insert into auth.session (id, organisation_id, account_id, sign_in_id, created_at, expires_at, family_hash, secret_hash)
       select gen_random_uuid(), $1, $2, $3, now() + make_interval(secs => n), now() + interval '1 day', sha256('f'), sha256('s')
       from generate_series(1, $4::int) n`;
    const of = ({ organisation, user }: Registered): string[] => [organisation.id, user.id];
    expect((await identify(ada.accessToken)).userID).toBe(ada.user.id);
    await systemQuery("test", more, [...of(ada), null, SESSIONS_PER_ACCOUNT_MAX]);
    await signIn({ email: ada.email, password }, new Date(), here);
    expect(await reason(identify(ada.accessToken))).toBe("invalid_token");

    const { sessionId = "" } = await identify(bob.accessToken);
    const second = await auth.switchTo({ organisationId: bob.organisation.id }, await as(bob));
    await systemQuery("test", more, [...of(bob), sessionId, 20]);
    await auth.switchTo({ organisationId: bob.organisation.id }, await as(bob));
    const ended = [await reason(identify(bob.accessToken)), await reason(identify(second.accessToken))];
    expect(ended).toContain("invalid_token");
  });

  test("beyond a hundred new sessions within minutes keeps who works: those go that never came back", async () => {
    const person = newcomer();
    const ada = await register(person, new Date());
    const used = await refreshSession(ada.refreshToken, new Date(), here);
    await systemQuery(
      "test",
      "update auth.session set created_at = now() - interval '1 hour', rotated_at = array[now() - interval '20 minutes'] where account_id = $1",
      [ada.user.id],
    );
    const signedIn = `insert into auth.session (id, account_id, created_at, expires_at, family_hash, secret_hash)
       select gen_random_uuid(), $1, now() - make_interval(secs => n), now() + interval '1 day', sha256('f'), sha256('s')
       from generate_series(1, $2::int) n`;
    await systemQuery("test", signedIn, [ada.user.id, 2 * SESSIONS_PER_ACCOUNT_MAX]);
    const latest = await signIn({ email: person.email, password }, new Date(), here);
    expect(await count(`auth.session where account_id = '${ada.user.id}'`)).toBe(SESSIONS_PER_ACCOUNT_MAX);
    for (const { refreshToken } of [used, latest])
      expect((await refreshSession(refreshToken, new Date(), here)).user).toEqual(ada.user);
    // Even one that is signed in to where all others are at work is not what goes.
    await systemQuery(
      "test",
      "update auth.session set generation = 1, successor_salt = sha256('s'), rotated_at = array[now() + interval '1 minute'] where account_id = $1 and generation = 0",
      [ada.user.id],
    );
    const one = await signIn({ email: person.email, password }, new Date(), here);
    expect((await refreshSession(one.refreshToken, new Date(), here)).user).toEqual(ada.user);
  });

  test("beyond a hundred sessions keeps the one that is in use, however old, and loses what was used least lately", async () => {
    const ada = await somebody();
    await systemQuery("test", "update auth.session set created_at = now() - interval '10 days' where account_id = $1", [
      ada.user.id,
    ]);
    const used = await refreshSession(ada.refreshToken, new Date(), here);
    // The newest of these is over.
    await systemQuery(
      "test",
      `insert into auth.session (id, account_id, created_at, expires_at, family_hash, secret_hash, device)
       select gen_random_uuid(), $1, now() - make_interval(mins => n), now() + case n when 1 then -1 else 1 end * interval '1 day',
              sha256('f'), sha256('s'), n::text
       from generate_series(1, $2::int) n`,
      [ada.user.id, SESSIONS_PER_ACCOUNT_MAX],
    );
    const latest = await signIn({ email: ada.email, password }, new Date(), here);
    const left = await systemQuery(
      "test",
      "select min(device::int) as newest, max(device::int) as oldest from auth.session where account_id = $1",
      [ada.user.id],
    );
    expect(left).toEqual([{ newest: 2, oldest: SESSIONS_PER_ACCOUNT_MAX - 1 }]);
    for (const { refreshToken } of [used, latest])
      expect((await refreshSession(refreshToken, new Date(), here)).user).toEqual(ada.user);
  });
});
