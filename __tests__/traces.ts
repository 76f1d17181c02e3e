// What a change leaves beside itself, for traces.pg.test.ts: the events and the entries of logs that were not there before.
import { auth } from "~encore/clients";
import { expect, onTestFinished } from "vitest";
import { sealByCommand } from "../audit/seal-command";
import { sealLogs } from "../audit/sealing";
import { as } from "../auth/__tests__/callers";
import { mailedToken } from "../auth/__tests__/mails";
import { newcomer } from "../auth/__tests__/people";
import { createDevelopmentLink, signInByLink } from "../auth/operators/development-link";
import { newId } from "../db/ids";
import { systemQuery } from "../db/tenant";
import { consumer, localConsumers } from "../events/consumer";
import {
  discardHeldByCommand,
  endReplayByCommand,
  pauseConsumerByCommand,
  replayByCommand,
  resumeConsumerByCommand,
} from "../events/consumer-commands";
import { declarations } from "../events/declarations";
import { handleAllByCommand, platformEvents } from "../events/platform-letters";
import { registerCaller } from "../testing";
// What an organisation's export hands out, whoever asks for it.
import "../auth/store/export";
import "../events/store/export";
import "../queues/store/export";
import "../sagas/store/export";
import "../services/ai/store/tenant";
import "../services/assets/store/export";
import "../services/notifications/store/export";
import "../services/records/store/export";
import "../vectors/store/export";

type Acting = Awaited<ReturnType<typeof as>>;

export interface Traces {
  events?: string[];
  entries?: string[];
}

/** Of all tests before: what they did, and what they saw of it. */
export const done = new Set<string>();
export const seen = { events: new Set<string>(), entries: new Set<string>() };

/** Ids of both tables are of version 7: what was added later has a greater one. */
async function newest(table: string): Promise<string> {
  const [row] = await systemQuery<{ id: string }>("test", `select id from ${table} order by id desc limit 1`);
  return row?.id ?? "00000000-0000-0000-0000-000000000000";
}

/** Does it, and holds it to what it has to leave: nothing less and nothing else. */
export async function change<T>(by: string, { events = [], entries = [] }: Traces, act: () => Promise<T>): Promise<T> {
  const [event, entry] = [await newest("events.outbox"), await newest("audit.entry")];
  const result = await act();
  const names = async (sql: string, after: string): Promise<string[]> =>
    (await systemQuery<{ name: string }>("test", sql, [after])).map(({ name }) => name).sort();
  const emitted = await names("select type as name from events.outbox where destination = 'event' and id > $1", event);
  const recorded = await names("select action as name from audit.entry where id > $1", entry);
  expect({ by, events: emitted, entries: recorded }).toEqual({
    by,
    events: events.toSorted(),
    entries: entries.toSorted(),
  });
  done.add(by);
  for (const name of emitted) seen.events.add(name);
  for (const name of recorded) seen.entries.add(name);
  return result;
}

/** The same names in both, by an event's spelling. */
export const both = (...names: string[]): Traces => ({
  events: names,
  entries: names.map((name) => name.replaceAll("-", "_")),
});

/** Of who is signed in elsewhere too. */
export async function changesOfSessions(person: { email: string; password: string }, by: Acting): Promise<void> {
  await auth.login(person);
  const id = (await auth.listSessions(by)).sessions.find(({ current }) => !current)?.id ?? "";
  await change("auth.endSession", { entries: ["auth.session.ended"] }, () => auth.endSession({ id }, by));
  await auth.login(person);
  const written = { entries: ["auth.session.ended_elsewhere"] };
  await change("auth.endOtherSessions", written, () => auth.endOtherSessions(by));
}

/** By command, of a consumer of events. */
async function changesOfConsumers(): Promise<void> {
  const name = `traced-${newId()}`;
  consumer(name, { "auth.user.registered@1": () => Promise.resolve() });
  onTestFinished(() => void localConsumers.delete(name));
  await declarations.refresh();
  const written = (action: string): Traces => ({ entries: [`events.consumer.${action}`] });
  await change("consumers pause", written("paused"), () => pauseConsumerByCommand(name));
  await change("consumers discard", written("discarded"), () => discardHeldByCommand(name));
  await change("consumers resume", written("resumed"), () => resumeConsumerByCommand(name));
  const from = new Date(Date.now() - 60_000).toISOString();
  await change("events replay", written("replayed"), () => replayByCommand({ consumer: name, from }));
  await change("consumers end-replay", written("replay_ended"), () => endReplayByCommand(name));
}

/** By command, of dead letters of no organisation. */
async function changesOfLetters(): Promise<void> {
  const source = `traced-${newId()}`;
  await systemQuery(
    "test",
    `insert into events.dead_letter (id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
     select gen_random_uuid(), $1, gen_random_uuid(), 'a', '1', 'auth.user.registered', 1, '{}', now(), reason, '', 1, now() from unnest(array['a', 'b']) reason`,
    [source],
  );
  const { redrive, discard } = platformEvents;
  const again = { events: ["auth.user.registered"], entries: ["events.dead_letter.redriven"] };
  await change("dead-letters redrive", again, () => handleAllByCommand(redrive, { source, reason: "a" }));
  const closed = { entries: ["events.dead_letter.discarded"] };
  await change("dead-letters discard", closed, () => handleAllByCommand(discard, { source }));
}

/** By command, of logs that no seal covers: here this one alone, in its own log and the installation's. */
async function changesOfSeals({ tenantId }: { tenantId: string }): Promise<void> {
  await sealLogs();
  await systemQuery("test", "update audit.head set end_seal = null where tenant_id = $1", [tenantId]);
  const written = { entries: ["audit.log.sealed", "audit.log.sealed"] };
  await change("audit seal", written, () => sealByCommand(tenantId, () => undefined, "ticket 4711"));
  await change("audit seal", { entries: ["audit.logs.sealed"] }, () => sealByCommand("", () => undefined));
}

export async function changesByCommand(owner: { tenantId: string }): Promise<void> {
  await comeByLink();
  await changesOfConsumers();
  await changesOfLetters();
  await changesOfSeals(owner);
  await changesOfUsers();
}

/** Members by the names that /api/v1 has for them. */
async function changesOfUsers(): Promise<void> {
  const [owner, joining] = [await registerCaller(), await auth.register(newcomer())];
  const { id, email } = joining.user;
  await change("auth.createUser", both("auth.member.invited"), () => auth.createUser({ email, role: "viewer" }, owner));
  await auth.acceptInvitation({ token: await mailedToken(email) }, await as(joining));
  await change("auth.updateUser", both("auth.member.role-changed"), () =>
    auth.updateUser({ id, role: "member" }, owner),
  );
  await change("auth.removeUser", both("auth.member.removed"), () => auth.removeUser({ id }, owner));
}

/** A link to the console is made and used. */
async function comeByLink(): Promise<void> {
  const link = await change("operator link", { entries: ["operator.link.made"] }, () => createDevelopmentLink());
  await change("auth.operatorLinkLogin", { entries: ["operator.session.opened"] }, () => signInByLink(link, true));
}

/** What changes nothing that anybody else lives by, or leaves its trace elsewhere. */
const SIGNS_IN = "a session is its own trace: its owner sees it at GET /auth/sessions, and the log has a line";
const BEGINS = "only begins: what follows it leaves the traces";
export const traceless: Record<string, string> = {
  "auth.login": SIGNS_IN,
  "auth.loginSecondFactor": SIGNS_IN,
  "auth.loginPasskey": SIGNS_IN,
  "auth.switchTo": SIGNS_IN,
  "auth.switchAccount": SIGNS_IN,
  "auth.logout": "ends what was its own trace",
  "auth.signOutAccount": "ends what was its own trace",
  "auth.signOutBrowser": "ends what was its own trace",
  "auth.operatorLogout": "ends what was its own trace",
  "auth.beginPasskeyLogin": BEGINS,
  "auth.secondFactorPasskey": BEGINS,
  "auth.beginOidc": BEGINS,
  "auth.beginIdentity": BEGINS,
  "auth.beginTotp": BEGINS,
  "auth.beginPasskey": BEGINS,
  "auth.stepUpPasskey": BEGINS,
  "auth.stepUpOidc": BEGINS,
  "auth.stepUpMail": BEGINS,
  "auth.changeEmail": BEGINS,
  "auth.forgotPassword": BEGINS,
  "auth.setUpOperator": BEGINS,
  "auth.sendVerificationMail": BEGINS,
  "auth.renamePasskey": "a name that its owner alone sees",
};
