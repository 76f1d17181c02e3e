// `npm run admin -- …`: what is done to the installation by who has its machine and its secrets, and by no request. Runs in
// the app's environment (`groundwork exec --beside`), beside the running app; each command stands in the installation's log.
import { endSessionsByCommand } from "../auth/operators/end-sessions";
import { startCommand } from "../auth/operators/command-start";
import {
  addOperator,
  listOperators,
  removeOperator,
  resetOperator,
  type OperatorSetup,
} from "../auth/operators/operators";
import {
  listSigningKeys,
  retireMasterKeyByCommand,
  revokeSigningKeyByCommand,
  rotateSigningKeysByCommand,
} from "../auth/key-commands";
import { sealedCount } from "../auth/store/sealed";
import { listMasterKeys, type SealedRows } from "../db/master-keys";
import { requestSealedCount } from "../idempotency/store";
import { tenantKeySealedCount } from "../secrets/store";
import { shutDown } from "../telemetry/shutdown";

const usage = `npm run admin -- <command>

  operator add EMAIL       an operator, who sets up password and authenticator app with what is printed
  operator reset EMAIL     takes both away, ends the operator's sessions, prints another set-up
  operator remove EMAIL    with the operator's sessions
  operator list
  sessions end EMAIL       all sign-ins of the account; its access tokens are refused within two seconds
  keys list                signing keys and what each does
  keys rotate              the key that stands by is to sign, once verifiers have it
  keys revoke KID          tokens of this key are refused within two seconds, and another signs
  master-keys list         which the database has known, and what each has sealed
  master-keys retire ID    once nothing is sealed with it and no process has it as its first: its access to the data ends
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function saySetup({ email, setupToken }: OperatorSetup): void {
  say(`${email} sets up with this token, once, within an hour (POST /operator/setup):\n\n  ${setupToken}\n`);
}

type Command = (word: string) => Promise<void>;

const commands: Record<string, { run: Command; word?: string }> = {
  "operator add": { word: "EMAIL", run: async (email) => saySetup(await addOperator(email)) },
  "operator reset": { word: "EMAIL", run: async (email) => saySetup(await resetOperator(email)) },
  "operator remove": {
    word: "EMAIL",
    run: async (email) => {
      await removeOperator(email);
      say(`${email} is no operator any more`);
    },
  },
  "operator list": {
    run: async () => {
      const operators = await listOperators();
      if (operators.length === 0) say("there are no operators");
      for (const { email, activatedAt, lastUsedAt, permissions } of operators)
        say(
          `${email}  ${activatedAt === null ? "not set up" : "active"}  last used ${lastUsedAt?.toISOString() ?? "never"}  ${permissions.join(" ")}`,
        );
    },
  },
  "sessions end": {
    word: "EMAIL",
    run: async (email) => {
      const count = await endSessionsByCommand(email);
      if (count === undefined) throw new Error(`nobody has an account with the e-mail ${email}`);
      say(`${count} sessions of ${email} are over`);
    },
  },
  "keys list": {
    run: async () => {
      for (const { kid, algorithm, state, signsFrom } of await listSigningKeys())
        say(
          `${kid}  ${algorithm}  ${state}${signsFrom === undefined ? "" : `  signs from ${signsFrom.toISOString()}`}`,
        );
    },
  },
  "keys rotate": {
    run: async () => {
      await rotateSigningKeysByCommand();
      say("the key that stood by is to sign; `keys list` says from when");
    },
  },
  "keys revoke": {
    word: "KID",
    run: async (kid) => {
      if (!(await revokeSigningKeyByCommand(kid)))
        throw new Error(`there is no signing key ${kid}: \`keys list\` shows them`);
      say(`${kid} is revoked`);
    },
  },
  "master-keys list": {
    run: async () => {
      const sealed = await sealedRows();
      for (const { id, standing, admittedAt, retiredAt, tokens, lastTokenAt } of await listMasterKeys()) {
        const state = retiredAt === null ? standing : `retired ${retiredAt.toISOString()}`;
        const last = lastTokenAt === null ? "" : ` (last ${lastTokenAt.toISOString()})`;
        say(`${id}  ${state}  since ${admittedAt.toISOString()}  tokens ${tokens}${last}`);
        for (const { what, keyId, rows } of sealed) if (keyId === id) say(`          ${what}: ${rows}`);
      }
    },
  },
  "master-keys retire": {
    word: "ID",
    run: async (id) => {
      const gone = await retireMasterKeyByCommand(id, await sealedRows());
      if (gone === undefined)
        throw new Error(`there is no master key ${id} to retire: \`master-keys list\` shows them`);
      say(`${id} is retired, and its ${gone} tokens are gone`);
    },
  },
};

const sealedRows = async (): Promise<SealedRows[]> => [
  ...(await sealedCount()),
  ...(await tenantKeySealedCount()),
  ...(await requestSealedCount()),
];

async function main([noun = "", verb = "", word]: string[]): Promise<void> {
  const name = `${noun} ${verb}`;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined || (command.word === undefined) !== (word === undefined)) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  startCommand();
  await command.run(word ?? "");
}

main(process.argv.slice(2))
  .catch((error: unknown) => {
    const { message, details } = error as { message: string; details?: { fields?: Record<string, string> } };
    const fields = Object.entries(details?.fields ?? {}).map(([field, problem]) => `${field} ${problem}`);
    process.stderr.write(`${[message, ...fields].join(": ")}\n`);
    process.exitCode = 1;
  })
  // What was counted is written, and connections are closed.
  .finally(() => shutDown().then(() => process.exit()));
