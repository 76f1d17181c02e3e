// An authenticator in software, for tests: real keys, real signatures (ES256), the bytes of WebAuthn Level 3 §6. What a
// browser adds (client data, origin) is added here too, so that tests can lie about it.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import type { PasskeyAssertion, PasskeyAttestation } from "../factors/webauthn";

/** Of what the tests need: unsigned and negative numbers, bytes, texts, lists of bytes, maps (RFC 8949). */
function cbor(value: number | string | Buffer | Buffer[] | Map<number | string, unknown>): Buffer {
  const head = (major: number, n: number): Buffer =>
    n < 24
      ? Buffer.of((major << 5) | n)
      : n < 256
        ? Buffer.of((major << 5) | 24, n)
        : Buffer.of((major << 5) | 25, n >> 8, n & 255);
  if (typeof value === "number") return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  const entries = [...value].flatMap(([key, inner]) => [cbor(key), cbor(inner as Parameters<typeof cbor>[0])]);
  return Buffer.concat([head(5, value.size), ...entries]);
}

const sha256 = (data: Buffer | string): Buffer => createHash("sha256").update(data).digest();
const FLAGS = { present: 1, verified: 4, synced: 8, backedUp: 16, withCredential: 64 };

export interface Behaviour {
  origin?: string;
  rpId?: string;
  /** Whether it makes sure of who uses it. */
  verifies?: boolean;
  /** Always 0 for one that does not count. */
  counts?: boolean;
  /** Of the client data. */
  type?: string;
  challenge?: string;
  userHandle?: string;
  /** Of the attestation. */
  format?: string;
  /** Of what it attests with its own key. */
  statement?: (signed: Buffer, ownKey: KeyObject) => Map<string, unknown>;
}

interface Asked {
  challenge: string;
  rp?: { id?: string };
  rpId?: string;
  user?: { id: string };
}

export class Authenticator {
  readonly credentialId = randomBytes(32);
  private readonly keys: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  signCount = 0;
  userHandle = "";

  constructor(private readonly usual: Behaviour = {}) {}

  create(asked: Asked, unusual: Behaviour = {}): PasskeyAttestation {
    const behaviour = { ...this.usual, ...unusual };
    this.userHandle = asked.user?.id ?? "";
    const { x = "", y = "" } = this.keys.publicKey.export({ format: "jwk" });
    const key = new Map<number, unknown>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, Buffer.from(x, "base64url")],
      [-3, Buffer.from(y, "base64url")],
    ]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.credentialId.length);
    const credential = Buffer.concat([Buffer.alloc(16), length, this.credentialId, cbor(key)]);
    const data = Buffer.concat([this.head(asked, behaviour, FLAGS.withCredential), credential]);
    const client = clientData("webauthn.create", asked, behaviour);
    const signed = Buffer.concat([data, sha256(client)]);
    const attestation = new Map<string, unknown>([
      ["fmt", behaviour.format ?? "none"],
      ["attStmt", behaviour.statement?.(signed, this.keys.privateKey) ?? new Map()],
      ["authData", data],
    ]);
    const id = this.credentialId.toString("base64url");
    return {
      id,
      rawId: id,
      type: "public-key",
      response: {
        clientDataJSON: client.toString("base64url"),
        attestationObject: cbor(attestation).toString("base64url"),
        transports: ["internal", "telepathy"],
      },
    };
  }

  get(asked: Asked, unusual: Behaviour = {}): PasskeyAssertion {
    const behaviour = { ...this.usual, ...unusual };
    if (behaviour.counts !== false) this.signCount++;
    const client = clientData("webauthn.get", asked, behaviour);
    const data = this.head(asked, behaviour, 0);
    const signature = sign("sha256", Buffer.concat([data, sha256(client)]), this.keys.privateKey);
    const id = this.credentialId.toString("base64url");
    return {
      id,
      rawId: id,
      type: "public-key",
      response: {
        clientDataJSON: client.toString("base64url"),
        authenticatorData: data.toString("base64url"),
        signature: signature.toString("base64url"),
        userHandle: behaviour.userHandle ?? this.userHandle,
      },
    };
  }

  private head({ rp, rpId }: Asked, behaviour: Behaviour, more: number): Buffer {
    const verified = behaviour.verifies === false ? 0 : FLAGS.verified;
    const synced = behaviour.counts === false ? FLAGS.synced | FLAGS.backedUp : 0;
    const count = Buffer.alloc(4);
    count.writeUInt32BE(behaviour.counts === false ? 0 : this.signCount);
    const site = sha256(behaviour.rpId ?? rp?.id ?? rpId ?? "");
    return Buffer.concat([site, Buffer.of(FLAGS.present | verified | synced | more), count]);
  }
}

function clientData(type: string, { challenge }: Asked, behaviour: Behaviour): Buffer {
  const said = {
    type: behaviour.type ?? type,
    challenge: behaviour.challenge ?? challenge,
    origin: behaviour.origin ?? "http://localhost:4000",
    crossOrigin: false,
  };
  return Buffer.from(JSON.stringify(said));
}
