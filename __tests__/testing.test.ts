// What testing.ts promises to the tests of services.
import { auth, vectors } from "~encore/clients";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { systemQuery, withTenant } from "../db/tenant";
import { destinationOf } from "../events/destinations";
import { enqueue, JOB_DESTINATION } from "../queues/enqueue";
import { defineJob } from "../queues/job";
import { makeWorker } from "../queues/worker";
import { reasonOf } from "../security/errors";
import { concurrent, createCaller, failDestination, failTimes, registerCaller, runRelayAndWorkers } from "../testing";

const payload = z.object({ n: z.number() });
const retry = { attempts: 3, firstDelayMs: 1, maxDelayMs: 5, jitter: 0 };
const job = defineJob({ name: "test:counted", payload, retry, timeoutMs: 5_000 });
const handled: number[] = [];
const handle = failTimes(2, async ({ n }: { n: number }) => {
  handled.push(n);
});
makeWorker(job, handle);
runRelayAndWorkers();

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "ok", reasonOf);

describe("a caller", () => {
  it("calls endpoints with their role, in their own organisation or a colleague's", async () => {
    const member = createCaller();
    const viewer = createCaller("viewer", member);
    const document = { source: "a.md", text: "Nothing that needs to be embedded to be listed." };
    const { id } = await vectors.ingest(document, member);
    expect(await outcome(vectors.ingest(document, viewer))).toBe("permission_denied");
    expect(await outcome(vectors.getDocument({ id }, viewer))).toBe("ok");
    expect(await outcome(vectors.getDocument({ id }, createCaller("owner")))).toBe("document_not_found");
  });

  it("who is registered can sign in, owns the organisation, and has a token", async () => {
    const { email, password, tenantId, principal, accessToken } = await registerCaller("Initech");
    const session = await auth.login({ email, password });
    expect(session.organisation).toEqual({ id: tenantId, name: "Initech", role: "owner" });
    expect(session.user.id).toBe(principal.subjectId);
    expect(accessToken.split(".")).toHaveLength(3);
  });
});

describe("failures", () => {
  let real: ReturnType<typeof destinationOf>;

  it("of a destination and of a handler are made as often as asked, and the job arrives after them", async () => {
    const { tenantId } = createCaller();
    real = destinationOf(JOB_DESTINATION);
    const destination = failDestination(JOB_DESTINATION, 1);
    await withTenant({ tenantId }, (tx) => enqueue(tx, job, { n: 7 }));
    await expect.poll(() => handled).toEqual([7]);
    expect([destination.failures, handle.failures]).toEqual([1, 2]);
    expect(destinationOf(JOB_DESTINATION)).not.toBe(real);
  });

  it("end with their test", async () => {
    expect(destinationOf(JOB_DESTINATION)).toBe(real);
    await withTenant(createCaller(), (tx) => enqueue(tx, job, { n: 8 }));
    await expect.poll(() => handled).toEqual([7, 8]);
    expect(() => failDestination("nowhere", 1)).toThrow('no destination "nowhere" is registered');
  });

  it("are the errors that a test wants", async () => {
    const flaky = failTimes(
      1,
      (n: number) => n + 1,
      () => new TypeError("bad day"),
    );
    await expect(flaky(1)).rejects.toThrow(TypeError);
    expect(await flaky(1)).toBe(2);
  });
});

describe("concurrent()", () => {
  it("answers how each call ended, and warns once where no race can show", async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on("warning", note);
    const act = async (index: number): Promise<number> => {
      if (index === 1) throw new Error("lost");
      return index;
    };
    const ended = [await concurrent(3, act), await concurrent(1, act)].flat();
    let begun = 0;
    const throwing = (): Promise<never> => {
      begun++;
      throw new Error("before there is a promise");
    };
    expect((await concurrent(2, throwing)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(begun).toBe(2);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", note);
    expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    const [row] = await systemQuery<{ version: string }>("test", "select version() as version");
    expect(warnings).toEqual(row?.version.includes("wasm") ? ["OneSessionWarning"] : []);
  });
});
