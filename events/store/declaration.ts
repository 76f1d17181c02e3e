// Statements on events.consumer_declaration: which events each consumer handles, as each version of the app that runs
// says it.
import { systemQuery, type Tx } from "../../db/tenant";

export interface ConsumerDeclaration {
  consumer: string;
  /** Keys (type@version) that it has handlers for. */
  handled: string[];
  /** Keys that its version of the app knows at all. */
  known: string[];
}

/** How long a declaration holds after a process last repeated it. */
export const DECLARATION_MINUTES = 10;

/** Repeats what this process declares. Processes of one version share their rows. */
export async function declarationsRenew(declarations: readonly ConsumerDeclaration[]): Promise<void> {
  await systemQuery(
    "declare-consumers",
    `insert into events.consumer_declaration (consumer, digest, handled, known)
     select d.consumer, sha256(convert_to(jsonb_build_array(d.handled, d.known)::text, 'UTF8')), array(select jsonb_array_elements_text(d.handled)), array(select jsonb_array_elements_text(d.known))
       from jsonb_to_recordset($1) as d(consumer text, handled jsonb, known jsonb) order by 1
     on conflict (consumer, digest) do update set seen_at = now()`,
    [JSON.stringify(declarations)],
  );
}

/** All declarations that hold. A row for each consumer and version that runs. */
export function declarationsHeld(): Promise<ConsumerDeclaration[]> {
  return systemQuery<ConsumerDeclaration>(
    "declare-consumers",
    `select consumer, handled, known from events.consumer_declaration
      where seen_at > now() - $1 * interval '1 minute' order by seen_at desc limit 10000`,
    [DECLARATION_MINUTES],
  );
}

/** Deletes declarations that nobody has repeated for a day, at most `limit`; resolves with how many went. */
export function declarationsPurge(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from events.consumer_declaration where (consumer, digest) in (
       select consumer, digest from events.consumer_declaration
        where seen_at < now() - interval '1 day' limit $1 for update skip locked)`,
    [limit],
  );
}
