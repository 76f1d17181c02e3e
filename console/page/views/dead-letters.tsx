// What was given up: of which organisation, why exactly, and once more or never again.
import { useState } from "preact/hooks";
import { change, read, withQuery } from "../client";
import { Confirm } from "../parts/dialog";
import { Choice } from "../parts/field";
import { Badge, Empty, Loaded } from "../parts/state";
import { Table, type Column } from "../parts/table";
import { dayText } from "../parts/text";
import { isPurpose, usePurpose } from "../purpose";
import { goTo, linkTo, type Route } from "../route";
import { useResource } from "../use-resource";

type Kind = "jobs" | "events";

interface Group {
  organisationId: string;
  source: string;
  cause: string;
  count: number;
  newestAt: string;
}

interface Letter {
  id: string;
  source: string;
  type: string;
  reason: string;
  internalError: string;
  traceId: string | null;
  attempts: number;
  deadAt: string;
}

/** As the installation's own come: jobs name the job, events the consumer. */
interface PlatformLetter extends Omit<Letter, "source"> {
  job?: string;
  consumer?: string;
}

const PLATFORM = "platform";

async function readLetters(kind: Kind, whose: string, source: string | undefined, cursor: string, purpose: string) {
  if (whose !== PLATFORM) {
    const path = `/console/api/organisations/${encodeURIComponent(whose)}/dead-letters/${kind}`;
    return read<{ deadLetters: Letter[]; next?: string }>(withQuery(path, { source, cursor }), purpose);
  }
  const path = kind === "jobs" ? "/operator/queues/dead-letters" : "/operator/events/dead-letters";
  const query = kind === "jobs" ? { job: source, cursor } : { consumer: source, cursor };
  const { deadLetters, next } = await read<{ deadLetters: PlatformLetter[]; next?: string }>(withQuery(path, query));
  return { deadLetters: deadLetters.map((one) => ({ ...one, source: one.job ?? one.consumer ?? "" })), next };
}

type Act = "redrive" | "discard";

/** @throws Error when somebody else was first. */
async function actOn(kind: Kind, whose: string, act: Act, id: string, purpose: string): Promise<void> {
  const service = kind === "jobs" ? "queues" : "events";
  const path =
    whose === PLATFORM
      ? `/operator/${service}/dead-letters/${act}`
      : `/console/api/organisations/${encodeURIComponent(whose)}/dead-letters/${kind}/${act}`;
  const { count } = await change<{ count?: number }>(path, { filter: { ids: [id] } }, purpose);
  if (count === 0) throw new Error("It is not open any more: somebody else sent it again or discarded it.");
}

function Groups({ kind }: { kind: Kind }) {
  const { purpose } = usePurpose();
  const resource = useResource(`groups ${kind} ${purpose}`, () =>
    read<{ groups: Group[] }>(`/console/api/dead-letters/${kind}`, purpose),
  );
  const columns: Column<Group>[] = [
    { title: kind === "jobs" ? "Job" : "Consumer", cell: ({ source }) => <strong>{source}</strong> },
    { title: "Why", cell: ({ cause }) => <Badge kind="critical">{cause}</Badge> },
    { title: "Open", cell: ({ count }) => count },
    { title: "Newest", cell: ({ newestAt }) => dayText(newestAt) },
    { title: "Organisation", cell: ({ organisationId }) => <code>{organisationId}</code> },
    {
      title: "Look",
      cell: ({ organisationId: whose, source }) => (
        <a href={linkTo("dead-letters", { kind, whose, source })} aria-label={`Look at ${source} of ${whose}`}>
          Look
        </a>
      ),
    },
  ];
  return (
    <Loaded of={resource}>
      {({ groups }) =>
        groups.length === 0 ? (
          <Empty>No organisation has open dead letters of {kind}.</Empty>
        ) : (
          <Table
            caption={`Open dead letters of ${kind}, by organisation`}
            columns={columns}
            rows={groups}
            keyOf={({ organisationId, source, cause }) => `${organisationId} ${source} ${cause}`}
          />
        )
      }
    </Loaded>
  );
}

interface Chosen {
  letter: Letter;
  act: Act;
}

const effects = {
  redrive: "It runs once more, with all of its attempts. What made it fail should be mended before.",
  discard: "It is closed for good: it does not run again.",
};

function Letters({ kind, whose, source }: { kind: Kind; whose: string; source: string | undefined }) {
  const { purpose } = usePurpose();
  const [cursors, setCursors] = useState<string[]>([]);
  const [chosen, setChosen] = useState<Chosen | undefined>(undefined);
  const [done, setDone] = useState<string | undefined>(undefined);
  const cursor = cursors.at(-1) ?? "";
  const resource = useResource(`letters ${kind} ${whose} ${source} ${cursor} ${purpose}`, () =>
    readLetters(kind, whose, source, cursor, purpose),
  );
  const close = (): void => setChosen(undefined);
  const onDone = ({ letter, act }: Chosen): void => {
    close();
    setDone(`${letter.source} was ${act === "redrive" ? "sent again" : "discarded"}.`);
    resource.reload();
  };
  return (
    <>
      <p role="status">{done !== undefined && <span class="notice good">{done}</span>}</p>
      <Loaded of={resource}>
        {({ deadLetters, next }) => (
          <>
            {deadLetters.length === 0 && <Empty>Nothing is open here.</Empty>}
            {deadLetters.map((letter) => (
              <LetterCard key={letter.id} letter={letter} onChoose={(act) => setChosen({ letter, act })} />
            ))}
            <div class="actions">
              {cursors.length > 0 && (
                <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
                  Newer
                </button>
              )}
              {next !== undefined && (
                <button type="button" onClick={() => setCursors([...cursors, next])}>
                  Older
                </button>
              )}
            </div>
          </>
        )}
      </Loaded>
      {chosen !== undefined && (
        <Confirm
          title={`${chosen.act === "redrive" ? "Redrive" : "Discard"} ${chosen.letter.source}?`}
          verb={chosen.act === "redrive" ? "Redrive" : "Discard"}
          isDangerous={chosen.act === "discard"}
          act={(text) => actOn(kind, whose, chosen.act, chosen.letter.id, text)}
          onDone={() => onDone(chosen)}
          onClose={close}
        >
          <p>{effects[chosen.act]}</p>
        </Confirm>
      )}
    </>
  );
}

function LetterCard({ letter, onChoose }: { letter: Letter; onChoose: (act: Act) => void }) {
  const { source, type, reason, internalError, traceId, attempts, deadAt } = letter;
  return (
    <article class="card letter" aria-label={`${source}, ${reason}`}>
      <header>
        <strong>{source}</strong> {type !== "" && <code>{type}</code>} <Badge kind="critical">{reason}</Badge>
        <span class="quiet">
          {dayText(deadAt)}, {attempts} attempts
        </span>
      </header>
      <pre>{internalError}</pre>
      <footer>
        {traceId !== null && (
          <span class="quiet">
            Trace <code>{traceId}</code>
          </span>
        )}
        <span class="actions">
          <button type="button" class="primary" onClick={() => onChoose("redrive")}>
            Redrive
          </button>
          <button type="button" class="danger" onClick={() => onChoose("discard")}>
            Discard
          </button>
        </span>
      </footer>
    </article>
  );
}

export function DeadLetters({ query }: { query: Route["query"] }) {
  const { purpose } = usePurpose();
  const kind: Kind = query.kind === "events" ? "events" : "jobs";
  const { whose, source } = query;
  const needsPurpose = whose !== PLATFORM && !isPurpose(purpose);
  return (
    <>
      <div class="filters">
        <Choice
          label="Of"
          value={kind}
          choices={{ jobs: "Jobs", events: "Events" }}
          onChoose={(chosen) => goTo("dead-letters", { kind: chosen, whose })}
        />
        {whose === undefined ? (
          <a href={linkTo("dead-letters", { kind, whose: PLATFORM })}>Those of no organisation</a>
        ) : (
          <a href={linkTo("dead-letters", { kind })}>All organisations</a>
        )}
      </div>
      {needsPurpose && (
        <p class="notice warning">
          Say above what for: the organisations that you see read it in their logs, with your name.
        </p>
      )}
      {!needsPurpose && whose === undefined && <Groups kind={kind} />}
      {!needsPurpose && whose !== undefined && (
        <Letters key={`${kind} ${whose} ${source}`} kind={kind} whose={whose} source={source} />
      )}
    </>
  );
}
