// Other values of flags for one organisation, as the platform's staff sets and takes them back: each time with a reason, in the
// organisation's own log (audit/operator.ts). A flag that was removed from the app, or a value of it, is no override any more:
// it is passed over where flags are read, and listed until somebody takes it back.
import { defineAction } from "../audit/action";
import { withOperator, type OperatorReason } from "../audit/operator";
import { recordForPlatform } from "../audit/platform";
import { record } from "../audit/record";
import { organisationFlags, type DeclaredFlag } from "../config/flags";
import { withSystem } from "../db/tenant";
import { actorOf, type Caller, type TenantId } from "../security/principal";
import { errors } from "./errors";
import { overrideMemory } from "./memory";
import {
  overrideCount,
  overrideList,
  overrideListStale,
  overridePut,
  type OverriddenRow,
  type OverrideRow,
  type StaleOverrideRow,
} from "./store";

/** More than there are flags, and removed ones beside them. */
const OVERRIDES_MAX = 500;
const STALE_MAX = 1_000;

const facts = { flag: "plain", value: "plain", previousValue: "plain", reason: "plain" } as const;
const overridden = defineAction("operator.flag.overridden", facts);
const takenBack = defineAction("operator.flag.override_removed", facts);
const listed = defineAction("operator.flag.listed", { overrides: "plain" });

const pairs = organisationFlags.flatMap(({ name, allowed }) => allowed.map((value) => ({ flag: name, value })));
const isAllowed = ({ flag, value }: { flag: string; value: string }): boolean =>
  pairs.some((pair) => pair.flag === flag && pair.value === value);

export interface SeenOverrides {
  /** Each flag, and the organisation's own value of it. */
  flags: { declared: DeclaredFlag; override: OverrideRow | undefined }[];
  /** Of flags, or with values, that are declared no more. */
  stale: OverrideRow[];
}

/** What an organisation has. */
export async function seeOverrides(
  operator: Caller,
  tenantId: TenantId,
  reason: OperatorReason,
): Promise<SeenOverrides> {
  const rows = await withOperator(tenantId, operator, { what: "flags.overrides", reason }, (tx) =>
    overrideList(tx, tenantId, OVERRIDES_MAX),
  );
  const holding = rows.filter(isAllowed);
  return {
    flags: organisationFlags.map((declared) => ({
      declared,
      override: holding.find(({ flag }) => flag === declared.name),
    })),
    stale: rows.filter((row) => !isAllowed(row)),
  };
}

export interface Setting {
  flag: string;
  value: string;
  reason: OperatorReason;
}

/** Resolves when this process reads the flag so; others do within two seconds. @throws APIError flag_not_found, flag_value_refused. */
export async function setOverride(operator: Caller, tenantId: TenantId, setting: Setting): Promise<void> {
  const declared = organisationFlags.find(({ name }) => name === setting.flag);
  if (declared === undefined) throw errors.flag_not_found();
  if (!declared.allowed.includes(setting.value))
    throw errors.flag_value_refused({ facts: { allowed: [...declared.allowed] } });
  await change(operator, tenantId, setting);
}

/** The organisation has what all have; also of a flag that is declared no more. @throws APIError flag_override_not_found. */
export async function removeOverride(
  operator: Caller,
  tenantId: TenantId,
  { flag, reason }: Omit<Setting, "value">,
): Promise<void> {
  await change(operator, tenantId, { flag, value: null, reason });
}

async function change(
  operator: Caller,
  tenantId: TenantId,
  { flag, value, reason }: Omit<Setting, "value"> & { value: string | null },
): Promise<void> {
  await withOperator(tenantId, operator, { what: "flags.overrides", reason }, async (tx) => {
    const put = { tenantId, flag, value, reason, changedBy: actorOf(operator) };
    const previousValue = await overridePut(tx, put);
    if (value === null && previousValue === null) throw errors.flag_override_not_found();
    if (value === previousValue) return;
    const told = { target: { type: "flag", id: flag }, fields: { flag, value, previousValue, reason } };
    await record(tx, value === null ? takenBack : overridden, told);
  });
  await overrideMemory.refresh();
}

export interface AllOverrides {
  flags: { declared: DeclaredFlag; values: OverriddenRow[] }[];
  /** The first thousand. */
  stale: StaleOverrideRow[];
}

/** How many organisations have another value of which flag, and what is there of flags that are declared no more. */
export function listOverrides(): Promise<AllOverrides> {
  return withSystem("operator-look-up", async (tx) => {
    const rows = await overrideCount(tx, OVERRIDES_MAX);
    const stale = await overrideListStale(tx, pairs, STALE_MAX);
    const overrides = rows.reduce((sum, { organisations }) => sum + organisations, 0);
    await recordForPlatform(tx, listed, { fields: { overrides } });
    return {
      flags: organisationFlags.map((declared) => ({
        declared,
        values: rows.filter((row) => row.flag === declared.name && isAllowed(row)),
      })),
      stale,
    };
  });
}
