// Where no master key is set (the official runtime then answers "" for it), the service must not load: a registration
// would store the account and then fail to sign its answer.
import { afterEach, expect, it, vi } from "vitest";

afterEach(() => {
  vi.doUnmock("encore.dev/config");
  vi.resetModules();
});

/** As the SDK behaves where the secret has this value; what is imported afterwards is loaded anew. */
function masterKeyIs(value: string): void {
  vi.resetModules();
  vi.doMock("encore.dev/config", () => ({ secret: () => () => value }));
}

it("the service is not loaded without a usable master key, and says what to set", async () => {
  for (const key of ["", "too short to be random"]) {
    masterKeyIs(key);
    await expect(import("../encore.service"), key).rejects.toThrow(
      /service auth cannot start without:\n {2}secret MasterKey: .*MasterKey (is not set|holds a key shorter).*openssl/,
    );
  }
  masterKeyIs("0123456789".repeat(5));
  await expect(import("../encore.service")).resolves.toBeDefined();
});

it("a registration whose answer could not be signed stores nothing", async () => {
  masterKeyIs("");
  const { register } = await import("../registration");
  const { systemQuery } = await import("../../db/tenant");
  const email = "nobody@example.org";
  const asked = register({ email, password: "correct horse battery staple 7", organisation: "Nobody" }, new Date());
  await expect(asked).rejects.toThrow(/MasterKey is not set/);
  expect(await systemQuery("test", "select 1 from auth.account where email = $1", [email])).toEqual([]);
});
