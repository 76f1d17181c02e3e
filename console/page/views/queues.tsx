// What waits in the queues of jobs.
import { read } from "../client";
import { Empty, Loaded } from "../parts/state";
import { Table, type Column } from "../parts/table";
import { countText } from "../parts/text";
import { useResource } from "../use-resource";

interface Queue {
  name: string;
  waiting: number;
  active: number;
  delayed: number;
}

const EVERY_MS = 5_000;
const columns: Column<Queue>[] = [
  { title: "Job", cell: ({ name }) => <strong>{name}</strong> },
  { title: "Waiting", cell: ({ waiting }) => countText(waiting) },
  { title: "Running", cell: ({ active }) => countText(active) },
  { title: "Delayed", cell: ({ delayed }) => countText(delayed) },
];

export function Queues() {
  const resource = useResource("queues", () => read<{ queues?: Queue[] }>("/console/api/queues"), EVERY_MS);
  return (
    <Loaded of={resource}>
      {({ queues }) => {
        if (queues === undefined) return <p class="notice critical">The queues do not answer just now.</p>;
        if (queues.length === 0) return <Empty>This process has no workers.</Empty>;
        return (
          <Table caption="Queues of this process' jobs" columns={columns} rows={queues} keyOf={({ name }) => name} />
        );
      }}
    </Loaded>
  );
}
