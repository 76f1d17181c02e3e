// Everybody whom docs/permissions.md has a column for, with credentials that the running app gave them: people of each role
// of one organisation, sessions of its owner in every state that a guard tells apart, a key, a machine, an operator.
import { decodeJwt } from "jose";
import { v7 } from "uuid";
import { customPermissions, machinePermissions } from "../../../../scripts/gen/permission-callers";
import { keyPermissions } from "../../../../security/permissions";
import type { CommandsBeside } from "./commands-beside";
import { makeOperator } from "./operator";
import { call, mailedToken, register, renew, type PairSend, type Person } from "./pairs/world";

/** What a caller owns, by the things that endpoints tagged `owns:` name. */
export type OwnThings = Record<"job" | "saga" | "notification", string>;

export interface MatrixWorld {
  /** Tokens by the table's columns; nobody has none. */
  tokens: Record<string, string | undefined>;
  /** Of the same callers' other sessions, for what comes after the end of the first. */
  lastTokens: Record<string, string | undefined>;
  /** By column, of some. */
  things: Record<string, OwnThings>;
}

const HOUR_AGO = "authenticated_at = now() - interval '1 hour'";
/** Of the owner: what each other column of theirs has to be made of a session that has just begun. */
const SESSIONS: Record<string, string> = {
  "in none": "organisation_id = null",
  vouched: "amr = '{sso}'",
  "owner, later": HOUR_AGO,
};
const PASSWORD = "a passphrase of many words";

const sessionOf = (person: Person): string => String(decodeJwt(person.accessToken).sid);

/** The token of the link in the newest mail to an address. */
type Mailed = (email: string) => Promise<string>;

async function joined(send: PairSend, mailed: Mailed, owner: Person, roleId: string): Promise<Record<string, Person>> {
  const wanted = ["viewer", "member", "custom", "admin"];
  const emailOf = (role: string): string => `${role}@matrix.example`;
  for (const role of wanted) {
    const given = role === "custom" ? { role, roleId } : { role };
    await call(send, "POST", "/auth/invitations", { email: emailOf(role), ...given }, owner);
  }
  const people: Record<string, Person> = {};
  for (const role of wanted) {
    const invitation = await mailed(emailOf(role));
    people[role] = await register(send, emailOf(role), { invitation });
  }
  return people;
}

/** Rows as the app writes them; none is due. */
function plantedThings(tenantId: string, actor: string): { things: OwnThings; sql: string } {
  const things = { job: v7(), saga: v7(), notification: v7() };
  const sql = `insert into queues.task (id, tenant_id, job, actor, state, seen_at)
      values ('${things.job}', '${tenantId}', 'planted:matrix', '${actor}', 'waiting', now() + interval '1 day');
    insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state, due_at)
      values ('${things.saga}', '${tenantId}', 'planted:matrix', 1, '{step}', '{}', '${actor}', '${things.saga}', 'running', now() + interval '1 year');
    insert into notifications.notification (tenant_id, id, category, content, sender)
      values ('${tenantId}', '${things.notification}', 'matrix', '{"title": "t", "body": "b"}', '${actor}');`;
  return { things, sql };
}

export async function makeMatrixWorld(
  send: PairSend,
  { admin, sql }: CommandsBeside,
  mailed: Mailed = (email) => mailedToken(send, email),
): Promise<MatrixWorld> {
  const staff = (await makeOperator(send, admin, "operator@matrix.example", PASSWORD)).token;
  const owner = await register(send, "owner@matrix.example", { organisation: "Matrix" });
  const made = <T>(path: string, body: unknown): Promise<T> => call<T>(send, "POST", path, body, owner);
  const role = await made<{ id: string }>("/auth/roles", { name: "auditor", permissions: customPermissions });
  const people: Record<string, Person> = { ...(await joined(send, mailed, owner, role.id)), owner };
  const key = await made<{ key: string }>("/auth/api-keys", { name: "all", permissions: keyPermissions });
  const machine = await made<{ id: string }>("/auth/service-principals", {
    name: "machine",
    permissions: machinePermissions,
  });
  const ofMachine = await made<{ key: string }>("/auth/api-keys", { name: "its", servicePrincipalId: machine.id });

  const again = async (): Promise<Record<string, Person>> =>
    Object.fromEntries(
      await Promise.all(Object.keys(SESSIONS).map(async (name) => [name, await renew(send, owner)] as const)),
    );
  const others = [await again(), await again()];
  const planted = Object.entries({
    owner: `user:${owner.userId}`,
    member: `user:${people.member?.userId}`,
    custom: `user:${people.custom?.userId}`,
    machine: `service:${machine.id}`,
  }).map(([name, actor]) => ({ name, ...plantedThings(owner.organisationId, actor) }));
  const renewed = Object.fromEntries(
    await Promise.all(Object.entries(people).map(async ([name, person]) => [name, await renew(send, person)] as const)),
  );
  const changed = others.flatMap((sessions) =>
    Object.entries(sessions).map(
      ([name, person]) => `update auth.session set ${SESSIONS[name]} where id = '${sessionOf(person)}';`,
    ),
  );
  // The last of the owner's are of one sign-in, so that none is another's that it ends.
  const last = Object.values(others[1] ?? {}).map((person) => `'${sessionOf(person)}'`);
  const signIn = sessionOf(renewed.owner ?? owner);
  changed.push(`update auth.session set sign_in_id = '${signIn}' where id in (${last.join()});`);
  await sql([...changed, ...planted.map(({ sql }) => sql)].join("\n"));

  const byKeys = { nobody: undefined, key: key.key, machine: ofMachine.key, operator: staff };
  const refreshed = async ({ refreshToken }: Person): Promise<string> =>
    (await call<{ accessToken: string }>(send, "POST", "/auth/refresh", { refreshToken })).accessToken;
  const tokensOf = async (signedIn: Record<string, Person>, made: Record<string, Person>) => {
    const tokens: Record<string, string | undefined> = { ...byKeys };
    for (const [name, { accessToken }] of Object.entries(signedIn)) tokens[name] = accessToken;
    for (const [name, person] of Object.entries(made)) tokens[name] = await refreshed(person);
    return tokens;
  };
  return {
    tokens: await tokensOf(people, others[0] ?? {}),
    lastTokens: await tokensOf(renewed, others[1] ?? {}),
    things: Object.fromEntries(planted.map(({ name, things }) => [name, things])),
  };
}
