// The bus of one process: what the app has without Redis, where one process is all there is.
import { AsyncLocalStorage } from "node:async_hooks";
import type { TenantId } from "../../security/principal";
import { handleNotice } from "./handle-notice";
import {
  assertGroup,
  noticeFrom,
  WAITING_MAX,
  type Bus,
  type BusSubscription,
  type Notice,
  type NoticeDefinition,
  type NoticeHandler,
  type SubscribeOptions,
} from "./bus";
import { busNoticesTotal } from "../../telemetry/metrics";

/** A notice may be published inside of a transaction or a request, and is handled outside of it. */
const outside = AsyncLocalStorage.snapshot();

class Subscriber {
  private waiting: Notice[] = [];
  private handling: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly definition: NoticeDefinition,
    private readonly handler: NoticeHandler<unknown>,
  ) {}

  offer(notice: Notice): void {
    this.waiting.push(notice);
    if (this.waiting.length > WAITING_MAX) {
      this.waiting.shift();
      busNoticesTotal.add(1, { type: this.definition.type, outcome: "lost" });
    }
    this.handling ??= outside(() => this.handleAll());
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.waiting = [];
    await this.handling;
  }

  private async handleAll(): Promise<void> {
    // Whoever publishes does not wait for it.
    await new Promise(setImmediate);
    for (let notice = this.waiting.shift(); notice !== undefined; notice = this.waiting.shift())
      await handleNotice(this.handler, notice, 1, () => !this.isClosed);
    this.handling = undefined;
  }
}

export class EventBus implements Bus {
  /** By type, and within it by group; those without a group have one each. */
  private readonly groups = new Map<string, Map<string | symbol, Subscriber[]>>();

  async publish<Data>(
    definition: NoticeDefinition<Data>,
    data: Data,
    tenantId: TenantId | null = null,
  ): Promise<string> {
    const { notice, text } = noticeFrom(definition, data, tenantId);
    // A copy for each, as if it had come over a wire.
    for (const members of this.groups.get(definition.type)?.values() ?? []) {
      const next = members.shift();
      if (next === undefined) continue;
      members.push(next);
      next.offer({ ...notice, data: definition.data.parse(JSON.parse(text)) });
    }
    busNoticesTotal.add(1, { type: definition.type, outcome: "published" });
    return notice.id;
  }

  async subscribe<Data>(
    definition: NoticeDefinition<Data>,
    handler: NoticeHandler<Data>,
    { group }: SubscribeOptions = {},
  ): Promise<BusSubscription> {
    assertGroup(group);
    const subscriber = new Subscriber(definition, handler as NoticeHandler<unknown>);
    const groups = this.groups.get(definition.type) ?? new Map<string | symbol, Subscriber[]>();
    this.groups.set(definition.type, groups);
    const key = group ?? Symbol(definition.type);
    groups.set(key, [...(groups.get(key) ?? []), subscriber]);
    return {
      close: async () => {
        const left = (groups.get(key) ?? []).filter((other) => other !== subscriber);
        if (left.length > 0) groups.set(key, left);
        else groups.delete(key);
        if (groups.size === 0 && this.groups.get(definition.type) === groups) this.groups.delete(definition.type);
        await subscriber.close();
      },
    };
  }

  async close(): Promise<void> {
    const all = [...this.groups.values()].flatMap((groups) => [...groups.values()].flat());
    this.groups.clear();
    await Promise.all(all.map((subscriber) => subscriber.close()));
  }
}
