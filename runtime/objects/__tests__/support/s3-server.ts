// S3 servers of other people, on the loopback interface and each with data of its own (scripts/native-s3.sh installs them).
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateBucketCommand, PutBucketPolicyCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import type { HostConfig, S3Server } from "../../../config";
import type { Server } from "./bucket-contract";
import { freePort } from "../../../http/__tests__/support/free-port";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../../../../scripts/native-s3.sh");
const START_LIMIT_MS = 60_000;

/** How long a first start may take: the servers are installed then. */
export const INSTALL_LIMIT_MS = 600_000;

export interface S3TestServer {
  server: S3Server & { endpoint: string };
  client: S3Client;
  stop(): Promise<void>;
}

async function untilItAnswers(endpoint: string, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the S3 server did not start (exit code ${child.exitCode}):\n${readFileSync(logFile, "utf8")}`);
}

interface Program {
  /** What it needs before it starts. `inside` is the path of its folder as the program sees it. */
  prepare?(tree: string, folder: string, inside: string, port: number): Promise<void>;
  command(inside: string, port: number): string[];
}

const user = { accessKeyId: "groundwork", secretAccessKey: "groundwork/secret+key" };

async function start({ prepare, command }: Program): Promise<S3TestServer> {
  const { stdout } = await run("bash", [script], { timeout: INSTALL_LIMIT_MS });
  const tree = stdout.trim();
  const inside = `/tmp/${randomUUID()}`;
  const folder = join(tree, inside);
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  await prepare?.(tree, folder, inside, port);
  const logFile = join(folder, "output.log");
  const log = openSync(logFile, "w");
  // Ends with the test's process, however that ends.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "chroot", tree, ...command(inside, port)], {
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const server = { region: "us-east-1", endpoint: `http://127.0.0.1:${port}`, ...user };
  await untilItAnswers(server.endpoint, child, logFile);
  const client = new S3Client({
    region: server.region,
    endpoint: server.endpoint,
    credentials: user,
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  return {
    server,
    client,
    async stop() {
      client.destroy();
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const radosgwConfig = (inside: string, port: number): string => `[global]
no_mon_config = true
rgw_backend_store = dbstore
rgw_config_store = dbstore
dbstore_db_dir = ${inside}
dbstore_config_uri = file:${inside}/config.db
rgw_data = ${inside}
run_dir = ${inside}
log_file = ${inside}/rgw.log
admin_socket = ${inside}/admin.asok
[client.test]
rgw_frontends = beast endpoint=127.0.0.1:${port}
`;

/** Ceph's gateway on one SQLite file, which is not its usual store: `radosgw` says what that one cannot. */
export const startRadosgw = (): Promise<S3TestServer> =>
  start({
    async prepare(tree, folder, inside, port) {
      writeFileSync(join(folder, "ceph.conf"), radosgwConfig(inside, port));
      const create = [
        "user",
        "create",
        "--uid=groundwork",
        "--display-name=groundwork",
        `--access-key=${user.accessKeyId}`,
        `--secret-key=${user.secretAccessKey}`,
      ];
      await run("chroot", [tree, "radosgw-admin", "-c", `${inside}/ceph.conf`, "-n", "client.test", ...create]);
    },
    command: (inside) => ["radosgw", "-c", `${inside}/ceph.conf`, "-n", "client.test", "-f"],
  });

export const radosgw: Server = { checksSignatures: true, checksPreconditions: false, joinsParts: false };

export const startMoto = (): Promise<S3TestServer> =>
  start({ command: (_, port) => ["moto_server", "-H", "127.0.0.1", "-p", String(port)] });

export const moto: Server = { checksSignatures: false, checksPreconditions: true, joinsParts: true };

/** A prefix in which every character matters that an address or a listing could mistake. */
export const keyPrefix = "team a+é/%41/";

/** Makes the buckets of `bucketModels` on the server: two of them share one there, one can be read by everybody. */
export async function makeBuckets({ client, server }: S3TestServer): Promise<NonNullable<HostConfig["objectStorage"]>> {
  for (const Bucket of ["shared", "public", "versioned"]) await client.send(new CreateBucketCommand({ Bucket }));
  await client.send(
    new PutBucketVersioningCommand({ Bucket: "versioned", VersioningConfiguration: { Status: "Enabled" } }),
  );
  const everybodyReads = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::public/*" }],
  };
  await client.send(new PutBucketPolicyCommand({ Bucket: "public", Policy: JSON.stringify(everybodyReads) }));
  return {
    files: { server, bucket: "shared", keyPrefix },
    site: { server, bucket: "public", keyPrefix: "", publicBaseUrl: `${server.endpoint}/public/` },
    versions: { server, bucket: "versioned", keyPrefix: "v/" },
  };
}
