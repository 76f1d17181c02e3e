// Who the fuzzer is: somebody with an organisation, a key, a machine and a browser, beside an organisation whose document nobody else
// may see a word of; and one of the platform's staff.
import { JSON_TYPE, type Asker } from "./asker";
import { createSampler, operationsOf, type Document } from "./openapi";
import type { Random } from "./random";
import type { FuzzWorld } from "./requests";

/** In the document of the other organisation. */
export const FOREIGN = "zanzibarquartz";

interface Session {
  accessToken: string;
}

interface Registered extends Session {
  organisation: { id: string };
}

const person = (name: string): { email: string; password: string } => ({
  email: `${name}@example.com`,
  password: `the passphrase of ${name}`,
});

export interface Made {
  world: FuzzWorld;
  /** Signs in again. */
  renew(): Promise<void>;
}

export async function makeFuzzWorld(asker: Asker, operator: string, random: Random): Promise<Made> {
  const call = asker.call.bind(asker);
  const document = await call<Document>("GET", "/docs/openapi.json");
  const victim = await call<Registered>("POST", "/auth/register", { ...person("victim"), organisation: "Victim" });
  const secret = await call<{ id: string }>(
    "POST",
    "/vectors/documents",
    { source: "secret.md", text: `The code word is ${FOREIGN}.` },
    victim.accessToken,
  );
  const attacker = await call<Registered>("POST", "/auth/register", {
    ...person("attacker"),
    organisation: "Attacker",
  });
  const own = await call<{ id: string }>(
    "POST",
    "/vectors/documents",
    { source: "own.md", text: "Nothing of interest." },
    attacker.accessToken,
  );
  // Of a person, as often as of the keys together: most places are a person's.
  const { key } = await call<{ key: string }>("POST", "/auth/api-keys", { name: "fuzz" }, attacker.accessToken);
  const machine = await call<{ id: string }>(
    "POST",
    "/auth/service-principals",
    { name: "fuzz", permissions: ["document.read", "document.write", "job.read"] },
    attacker.accessToken,
  );
  const machines = await call<{ key: string }>(
    "POST",
    "/auth/api-keys",
    { name: "fuzz machine", servicePrincipalId: machine.id },
    attacker.accessToken,
  );
  let token = attacker.accessToken;
  let cookie = "";
  const world: FuzzWorld = {
    operations: operationsOf(document),
    sample: createSampler(document, random),
    tokens: () => [token, token, key, machines.key],
    operator,
    cookie: () => cookie,
    ids: [secret.id, secret.id, own.id, victim.organisation.id, "01890000-0000-7000-8000-000000000000"],
  };
  let current = person("attacker");
  let attackers = 0;
  // A fuzzed logout that succeeds ends the session, and a fuzzed request may delete the account; the next hundreds of
  // requests want a living one.
  const renew = async (): Promise<void> => {
    const signedIn = await call<Session>("POST", "/auth/login", current).catch(() => {
      current = person(`attacker-${++attackers}`);
      return call<Session>("POST", "/auth/register", { ...current, organisation: "Attacker" });
    });
    token = signedIn.accessToken;
    const browser = await asker.send({
      ...{ method: "POST", path: "/auth/login", headers: { ...JSON_TYPE, "sec-fetch-site": "same-origin" } },
      body: JSON.stringify({ ...current, cookies: true }),
    });
    cookie = browser.cookies.map((set) => set.split(";")[0]).join("; ");
  };
  return { world, renew };
}
