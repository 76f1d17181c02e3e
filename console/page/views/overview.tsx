// How the installation fares: what is wrong now, what waits, and the golden signals.
import { useRef } from "preact/hooks";
import { read, readProbes, withQuery } from "../client";
import { Plot } from "../parts/plot";
import { Badge, Loaded } from "../parts/state";
import { bytesText, countText, durationText, millisText } from "../parts/text";
import { linkTo } from "../route";
import { useResource } from "../use-resource";

interface Problem {
  severity: "critical" | "warning";
  title: string;
  detail: string;
  view?: string;
}

interface OverviewData {
  environment: string;
  status: "ready" | "draining" | "unavailable";
  checks: { name: string; ok: boolean; vital: boolean; durationMs: number }[];
  problems: Problem[];
  outboxRows: number | null;
  jobsWaiting: number | null;
  jobsDelayed: number | null;
  deadLetters: number | null;
  sagasOpen: number | null;
  uptimeSeconds: number;
  memoryBytes: number;
}

interface SignalsData {
  process: { id: string; host: string };
  points: Point[];
}

interface Point {
  number: number;
  atMs: number;
  requestsPerSecond: number;
  failuresPerSecond: number;
  p50Ms?: number;
  p95Ms?: number;
}

const EVERY_MS = 5_000;
/** A point comes every ten seconds. */
const SIGNALS_EVERY_MS = 10_000;
const POINTS_MAX = 360;

function Problems({ problems }: { problems: readonly Problem[] }) {
  return (
    <section aria-labelledby="wrong">
      <h2 id="wrong">What is wrong now</h2>
      {problems.length === 0 && <p class="notice good">Nothing that this process knows of.</p>}
      <ul class="problems">
        {problems.map(({ severity, title, detail, view }) => (
          <li key={title} class={`notice ${severity}`}>
            <Badge kind={severity}>{severity}</Badge>
            <strong>{title}</strong>
            <span>{detail}</span>
            {view !== undefined && <a href={linkTo(view)}>Look</a>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Figures({ data }: { data: OverviewData }) {
  const figures: [string, string, string][] = [
    ["Outbox", countText(data.outboxRows), "rows not handed over"],
    ["Jobs", countText(data.jobsWaiting), `waiting, ${countText(data.jobsDelayed)} for later`],
    ["Dead letters", countText(data.deadLetters), "open"],
    ["Sagas", countText(data.sagasOpen), "not ended"],
    ["Process", durationText(data.uptimeSeconds), `up, ${bytesText(data.memoryBytes)}`],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value, unit]) => (
        <div key={name} class="card">
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong> <span class="quiet">{unit}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Health({ data }: { data: OverviewData }) {
  return (
    <p class="health">
      <Badge kind={data.status === "ready" ? "good" : "critical"}>{data.status}</Badge>
      <Badge kind="plain">{data.environment}</Badge>
      {data.checks.map(({ name, ok, durationMs }) => (
        <span key={name} class="key">
          <Badge kind={ok ? "good" : "critical"}>{ok ? "ok" : "failed"}</Badge> {name}{" "}
          <span class="quiet">{millisText(durationMs)}</span>
        </span>
      ))}
    </p>
  );
}

const rateText = (value: number): string => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}/s`;

function Signals() {
  const kept = useRef<SignalsData | undefined>(undefined);
  const resource = useResource(
    "signals",
    async () => {
      const before = kept.current;
      const query = { after: before?.points.at(-1)?.number, process: before?.process.id };
      const { process, points } = await read<SignalsData>(withQuery("/console/api/signals", query));
      // Another process answered, a replica or after a start: its points are not the ones before going on.
      const isSame = before?.process.id === process.id;
      const known = isSame ? before.points : [];
      const last = known.at(-1)?.number ?? 0;
      const all = [...known, ...points.filter(({ number }) => number > last)].slice(-POINTS_MAX);
      kept.current = { process, points: all };
      return kept.current;
    },
    SIGNALS_EVERY_MS,
  );
  return (
    <section aria-labelledby="signals">
      <h2 id="signals">
        Golden signals{" "}
        <span class="quiet">
          {resource.data === undefined
            ? "of one process, the last hour"
            : `of process ${resource.data.process.id.slice(0, 8)} at ${resource.data.process.host}, the last hour`}
        </span>
      </h2>
      <Loaded of={resource}>
        {({ points }) =>
          points.length < 2 ? (
            <p class="empty">The first points come within half a minute of the start.</p>
          ) : (
            <Plots points={points} />
          )
        }
      </Loaded>
    </section>
  );
}

function Plots({ points }: { points: readonly Point[] }) {
  const times = points.map(({ atMs }) => atMs / 1000);
  const values = (of: (point: Point) => number | undefined): (number | null)[] =>
    points.map((point) => of(point) ?? null);
  return (
    <div class="plots">
      <Plot
        title="Requests"
        top={1}
        times={times}
        lines={[
          { label: "answered", colour: "--accent", values: values((p) => p.requestsPerSecond), text: rateText },
          { label: "failed", colour: "--critical", values: values((p) => p.failuresPerSecond), text: rateText },
        ]}
      />
      <Plot
        title="Latency"
        top={10}
        times={times}
        lines={[
          { label: "p95", colour: "--warning", values: values((p) => p.p95Ms), text: millisText },
          { label: "p50", colour: "--accent", values: values((p) => p.p50Ms), text: millisText },
        ]}
      />
    </div>
  );
}

/** Of an app that cannot say how it fares: what everybody may ask for. */
function Probes() {
  const resource = useResource("probes", readProbes, EVERY_MS);
  return (
    <Loaded of={resource}>
      {(checks) => (
        <p class="health">
          {Object.entries(checks).map(([name, outcome]) => (
            <span key={name} class="key">
              <Badge kind={outcome === "ok" ? "good" : "critical"}>{outcome}</Badge> {name}
            </span>
          ))}
        </p>
      )}
    </Loaded>
  );
}

export function Overview() {
  const resource = useResource("overview", () => read<OverviewData>("/console/api/overview"), EVERY_MS);
  return (
    <>
      {resource.problem !== undefined && <Probes />}
      <Loaded of={resource}>
        {(data) => (
          <>
            <Health data={data} />
            <Problems problems={data.problems} />
            <Figures data={data} />
          </>
        )}
      </Loaded>
      <Signals />
    </>
  );
}
