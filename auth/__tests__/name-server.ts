// A name server on this machine that answers for texts.
import { startNameServer, textRecord } from "../../security/__tests__/name-server";

/** The texts of a name; `silent` answers nothing, `broken` SERVFAIL. A name that is not there is NXDOMAIN. */
export type Zone = Map<string, string[] | "silent" | "broken">;

export interface TextServer {
  address: string;
  zone: Zone;
  /** Questions it got. */
  asked: () => number;
  close: () => Promise<void>;
}

export async function startTextServer(): Promise<TextServer> {
  const zone: Zone = new Map();
  const { address, asked, close } = await startNameServer((name) => {
    const found = zone.get(name) ?? "absent";
    return typeof found === "string" ? found : found.map(textRecord);
  });
  return { address, zone, asked: () => asked.length, close };
}
