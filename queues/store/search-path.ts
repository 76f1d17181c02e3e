// BullMQ's statements name its tables without their schema.
import type { ClientBase } from "pg";

/** Name of BullMQ's schema. */
export const BULLMQ_SCHEMA = "bullmq";

/** Lets the connection find BullMQ's tables; `public` first, where the app's extensions live. */
export async function searchPathSet(client: ClientBase): Promise<void> {
  await client.query(`set search_path to public, ${BULLMQ_SCHEMA}`);
}
