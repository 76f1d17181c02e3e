import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { domainToASCII } from "node:url";
import { simpleParser, type AddressObject } from "mailparser";
import { type SMTPServer, type SMTPServerOptions } from "smtp-server";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { newId } from "../../db/ids";
import { createSmtpTransport, type SmtpOptions } from "../providers/smtp";
import { mailSchema } from "../message";
import { MailError, type MailTransport } from "../transport";
import { end, listen } from "./smtp-server";
import { transportContract, type Received } from "./transport-contract";

const FROM = "Groundwork <mail@groundwork.test>";

async function serverThat(options: SMTPServerOptions, host = "127.0.0.1", account = ""): Promise<MailTransport> {
  const { port, server } = await listen({ hideSTARTTLS: true, ...options });
  const transport = transportTo({ url: `smtp://${account}${host}:${port}`, from: FROM });
  onTestFinished(async () => {
    transport.close();
    await end(server);
  });
  return transport;
}

/** More than nodemailer has without being told. */
const CONNECTIONS = 12;
const transportTo = (options: SmtpOptions): MailTransport => createSmtpTransport(options);

/** A transport to something that listens and is no mail server. */
async function talkingTo(
  talk: (socket: Socket) => unknown,
  limits: Pick<SmtpOptions, "phaseTimeoutMs" | "totalTimeoutMs">,
): Promise<MailTransport> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    talk(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const transport = transportTo({ url: `smtp://127.0.0.1:${port}`, from: FROM, ...limits });
  onTestFinished(() => {
    transport.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return transport;
}

/** Who reads a mail sees its domain in its own script. */
const asInDns = (address: string): string => {
  const domain = address.slice(address.lastIndexOf("@") + 1);
  return `${address.slice(0, -domain.length)}${domainToASCII(domain)}`;
};
const refusal = (responseCode: number): Error => Object.assign(new Error("no"), { responseCode });
const mailTo = (to: string): { id: string; to: string; subject: string; text: string } => ({
  id: newId(),
  to,
  subject: "s",
  text: "t",
});

async function failureOf(transport: MailTransport): Promise<MailError> {
  const error: unknown = await transport.send(mailTo("ada@example.com")).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MailError);
  return error as MailError;
}

describe("SMTP", () => {
  const received: (Received & { headers: ReadonlyMap<string, unknown> })[] = [];
  let server: SMTPServer;
  let transport: MailTransport;

  beforeAll(async () => {
    const listening = await listen({
      hideSTARTTLS: true,
      onData: (stream, session, done) => {
        void simpleParser(stream, { skipHtmlToText: true, skipTextToHtml: true }).then((mail) => {
          expect(session.envelope.rcptTo).toHaveLength(1);
          received.push({
            id: mail.messageId?.slice(1, 37) ?? "",
            to: asInDns((mail.to as AddressObject).text),
            subject: mail.subject ?? "",
            text: mail.text?.replace(/\n$/, "") ?? "",
            ...(typeof mail.html !== "string" ? {} : { html: mail.html.replace(/\n$/, "") }),
            headers: mail.headers,
          });
          done();
        }, done);
      },
    });
    server = listening.server;
    transport = transportTo({ url: `smtp://127.0.0.1:${listening.port}`, from: FROM });
  });
  afterAll(async () => {
    transport.close();
    await end(server);
  });

  transportContract(() => ({
    transport,
    receivedBy: (address) =>
      Promise.resolve(received.filter(({ to }) => to === address).map(({ headers: _, ...mail }) => mail)),
  }));

  test("names sender and kind, so that no machine answers it", async () => {
    const mail = mailTo("bob@example.com");
    await transport.send(mail);
    const headers = received.find(({ id }) => id === mail.id)?.headers;
    expect(headers?.get("auto-submitted")).toBe("auto-generated");
    expect((headers?.get("from") as AddressObject).text).toMatch(/^"?Groundwork"? <mail@groundwork\.test>$/);
    expect(headers?.get("message-id")).toBe(`<${mail.id}@groundwork.test>`);
  });
});

test("a mail says where its kind ends by one click (RFC 8058), however long the address is", async () => {
  const heads: string[] = [];
  const transport = await serverThat({
    onData: (stream, _session, done) => {
      let text = "";
      stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
      stream.on("end", () => {
        heads.push(text.slice(0, text.indexOf("\r\n\r\n")).replace(/\r\n[ \t]+/g, " "));
        done();
      });
    },
  });
  const unsubscribeUrl = `https://app.example/notifications/unsubscribe?token=${"x".repeat(300)}`;
  await transport.send({ ...mailTo("ada@example.com"), unsubscribeUrl });
  await transport.send(mailTo("ada@example.com"));
  expect(heads[0]).toContain(`List-Unsubscribe: <${unsubscribeUrl}>`);
  expect(heads[0]).toContain("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
  expect(heads[1]).not.toContain("Unsubscribe");
});

test("what would end a header is no address to unsubscribe at", () => {
  const mail = mailTo("ada@example.com");
  for (const unsubscribeUrl of ["https://x/>\r\nBcc: b@x", "https://x/ y", "https://x/<", "mailto:a@b"])
    expect(mailSchema.safeParse({ ...mail, unsubscribeUrl }).success, unsubscribeUrl).toBe(false);
});

describe("a mail server that does not take a mail", () => {
  test.each([
    {
      name: "refuses the recipient for good",
      options: { onRcptTo: (_a, _s, done) => done(refusal(550)) },
      isFinal: true,
    },
    {
      name: "refuses the recipient for now",
      options: { onRcptTo: (_a, _s, done) => done(refusal(451)) },
      isFinal: false,
    },
    {
      name: "refuses the text for good",
      options: { onData: (stream, _s, done) => stream.resume().on("end", () => done(refusal(554))) },
      isFinal: true,
    },
    { name: "refuses us at the door", options: { onConnect: (_s, done) => done(refusal(554)) }, isFinal: false },
    { name: "refuses the sender", options: { onMailFrom: (_a, _s, done) => done(refusal(550)) }, isFinal: false },
  ] satisfies { name: string; options: SMTPServerOptions; isFinal: boolean }[])(
    "$name: final is $isFinal",
    async ({ options, isFinal }) => {
      const error = await failureOf(await serverThat(options));
      expect({ isFinal: error.isFinal, message: error.message }).toEqual({
        isFinal,
        message: "the mail server did not take the mail",
      });
    },
  );

  test("does not take our password: not final, and the password is in no message", async () => {
    const onAuth: SMTPServerOptions["onAuth"] = (_auth, _session, done) => done(refusal(535));
    const transport = await serverThat(
      { authOptional: false, allowInsecureAuth: true, onAuth },
      "127.0.0.1",
      "mailer:planted%2Dsecret@",
    );
    const error = await failureOf(transport);
    expect(error.isFinal).toBe(false);
    expect(`${error.message} ${String(error.cause)} ${JSON.stringify(error.cause)}`).not.toMatch(/planted/);
  });

  test("offers no encryption outside this machine: nothing is sent", async () => {
    const commands: string[] = [];
    const onMailFrom: SMTPServerOptions["onMailFrom"] = (_address, _session, done) => {
      commands.push("MAIL FROM");
      done();
    };
    expect((await failureOf(await serverThat({ onMailFrom }, "0.0.0.0"))).isFinal).toBe(false);
    expect(commands).toEqual([]);
  });

  test.each([
    { silent: "never greets", greeting: "" },
    { silent: "greets and falls silent", greeting: "220 here\r\n" },
  ])("$silent: given up after the limit", async ({ greeting }) => {
    const limits = { phaseTimeoutMs: 50, totalTimeoutMs: 2_000 };
    const transport = await talkingTo((socket) => socket.write(greeting), limits);
    expect((await failureOf(transport)).isFinal).toBe(false);
  });

  test("never answers: no mail waits behind those that wait for it", async () => {
    let open = 0;
    const talk = (socket: Socket): void => {
      open++;
      socket.on("close", () => open--);
    };
    const transport = await talkingTo(talk, { phaseTimeoutMs: 60_000, totalTimeoutMs: 20_000 });
    const failed = Promise.allSettled(Array.from({ length: CONNECTIONS }, () => failureOf(transport)));
    await expect.poll(() => open, { timeout: 15_000 }).toBe(CONNECTIONS);
    transport.close();
    void failed;
  });

  test("talks without end: given up after the limit of the whole mail, and its connections are free for others", async () => {
    const connections = { open: 0, made: 0 };
    const talk = (socket: Socket): void => {
      connections.open++;
      connections.made++;
      // A greeting has a limit of its own in nodemailer; what comes behind it is silent in no phase.
      socket.resume().write("220 here\r\n");
      const line = setInterval(() => socket.write("250-still here\r\n"), 5);
      socket.on("close", () => {
        connections.open--;
        clearInterval(line);
      });
    };
    const transport = await talkingTo(talk, { phaseTimeoutMs: 60_000, totalTimeoutMs: 100 });
    for (const { cause } of await Promise.all(Array.from({ length: CONNECTIONS }, () => failureOf(transport))))
      expect(String(cause)).toContain("no answer within 100 ms");
    await expect.poll(() => connections.open, { timeout: 10_000 }).toBe(0);
    const { made } = connections;
    const another = async (): Promise<number> => {
      await failureOf(transport);
      return connections.made;
    };
    await expect.poll(another, { timeout: 10_000 }).toBeGreaterThan(made);
  });
});
