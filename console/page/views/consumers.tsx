// Consumers of events: which are paused, how much waits for each; pausing and resuming one.
import { useState } from "preact/hooks";
import { change, read } from "../client";
import { Confirm } from "../parts/dialog";
import { Badge, Empty, Loaded } from "../parts/state";
import { Table, type Column } from "../parts/table";
import { countText, dayText } from "../parts/text";
import { useResource } from "../use-resource";

interface Consumer {
  name: string;
  declared: boolean;
  paused: boolean;
  pausedSince?: string;
  pausedBy?: string;
  pauseReason?: string;
  waiting: number;
  waitingSince?: string;
}

const EVERY_MS = 5_000;

function State({ consumer: { declared, paused, pausedSince, pauseReason } }: { consumer: Consumer }) {
  if (!paused)
    return <Badge kind={declared ? "good" : "warning"}>{declared ? "runs" : "in no version that runs"}</Badge>;
  return (
    <>
      <Badge kind="warning">paused</Badge>{" "}
      <span class="quiet">
        since {dayText(pausedSince ?? "")}: {pauseReason}
      </span>
    </>
  );
}

interface AskProps {
  consumer: Consumer;
  onDone: () => void;
  onClose: () => void;
}

function Ask({ consumer: { name, paused }, onDone, onClose }: AskProps) {
  const verb = paused ? "Resume" : "Pause";
  const path = `/operator/consumers/${encodeURIComponent(name)}/${verb.toLowerCase()}`;
  return (
    <Confirm
      title={`${verb} ${name}?`}
      verb={verb}
      isDangerous={!paused}
      act={(purpose) => change(path, {}, purpose)}
      onDone={onDone}
      onClose={onClose}
    >
      <p>
        {paused
          ? "It gets what waited, in its order, before what is new."
          : "What is for it waits, on every replica, until somebody resumes it."}
      </p>
    </Confirm>
  );
}

const columnsWith = (choose: (consumer: Consumer) => void): Column<Consumer>[] => [
  { title: "Consumer", cell: ({ name }) => <strong>{name}</strong> },
  { title: "State", cell: (consumer) => <State consumer={consumer} /> },
  {
    title: "Waiting",
    cell: ({ waiting, waitingSince }) =>
      `${countText(waiting)}${waitingSince === undefined ? "" : ` since ${dayText(waitingSince)}`}`,
  },
  {
    title: "Do",
    cell: (consumer) => {
      const verb = consumer.paused ? "Resume" : "Pause";
      return (
        <button type="button" onClick={() => choose(consumer)} aria-label={`${verb} ${consumer.name}`}>
          {verb}
        </button>
      );
    },
  },
];

export function Consumers() {
  const resource = useResource("consumers", () => read<{ consumers: Consumer[] }>("/operator/consumers"), EVERY_MS);
  const [chosen, setChosen] = useState<Consumer | undefined>(undefined);
  const close = (): void => setChosen(undefined);
  const onDone = (): void => {
    close();
    resource.reload();
  };
  return (
    <>
      <Loaded of={resource}>
        {({ consumers }) =>
          consumers.length === 0 ? (
            <Empty>No version that runs has consumers.</Empty>
          ) : (
            <Table
              caption="Consumers of events"
              columns={columnsWith(setChosen)}
              rows={consumers}
              keyOf={({ name }) => name}
            />
          )
        }
      </Loaded>
      {chosen !== undefined && <Ask consumer={chosen} onDone={onDone} onClose={close} />}
    </>
  );
}
