// A mail server on this machine, and one whose clients' words are written down as they come.
import { once } from "node:events";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** Resolves with its port. */
export async function listen(options: SMTPServerOptions): Promise<{ port: number; server: SMTPServer }> {
  const server = new SMTPServer({ authOptional: true, logger: false, ...options });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return { port: (server.server.address() as AddressInfo).port, server };
}

export const end = (server: SMTPServer): Promise<void> => new Promise((resolve) => server.close(resolve));

/** A server behind a wire that is listened to: what clients say, byte for byte. */
export async function listenIn(
  options: SMTPServerOptions,
): Promise<{ port: number; said: () => string; close: () => Promise<void> }> {
  const { port: behind, server } = await listen({ hideSTARTTLS: true, ...options });
  const words: Buffer[] = [];
  const wire = createServer({ noDelay: true }, (client) => {
    const onward = createConnection({ port: behind, host: "127.0.0.1", noDelay: true });
    client.on("data", (bytes) => words.push(bytes));
    client.pipe(onward).pipe(client);
    for (const socket of [client, onward]) socket.on("error", () => undefined);
  });
  wire.listen(0, "127.0.0.1");
  await once(wire, "listening");
  const close = async (): Promise<void> => {
    wire.close();
    await end(server);
  };
  const said = (): string => Buffer.concat(words.splice(0)).toString();
  return { port: (wire.address() as AddressInfo).port, said, close };
}
