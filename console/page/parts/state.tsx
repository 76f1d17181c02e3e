// What a view shows while it has nothing, or nothing new, to show.
import type { ComponentChildren } from "preact";
import type { Resource } from "../use-resource";
import { clockText } from "./text";

interface Props<T> {
  of: Resource<T>;
  children: (data: T) => ComponentChildren;
}

/** The resource's data; above it what went wrong the last time, and instead of it that it is on its way. */
export function Loaded<T>({ of: { data, asOfMs, problem, reload }, children }: Props<T>) {
  return (
    <>
      {problem !== undefined && (
        <p class="notice critical" role="alert">
          {problem}
          {asOfMs !== undefined && ` What is below is as of ${clockText(asOfMs)}.`}{" "}
          <button type="button" onClick={reload}>
            Try again
          </button>
        </p>
      )}
      {data === undefined && problem === undefined && <p class="loading">Loading…</p>}
      {data !== undefined && <div class={problem === undefined ? "current" : "stale"}>{children(data)}</div>}
    </>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Badge({
  kind,
  children,
}: {
  kind: "good" | "warning" | "critical" | "plain";
  children: ComponentChildren;
}) {
  return <span class={`badge ${kind}`}>{children}</span>;
}
