// What a view shows of the app: asked for when the view opens and when its key changes, again every so often while the tab is
// looked at, and at once when somebody has changed something.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { textOf } from "./client";

export interface Resource<T> {
  /** Of the key's last answer; undefined before the first. */
  data: T | undefined;
  /** Of the last time that it was asked for. */
  problem: string | undefined;
  reload: () => void;
}

/** `load` is asked anew when `key` changes, and every `everyMs` unless that is 0. */
export function useResource<T>(key: string, load: () => Promise<T>, everyMs = 0): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; problem?: string }>({ key });
  const wanted = useRef({ key, load });
  wanted.current = { key, load };

  const reload = useCallback(() => {
    const asked = wanted.current;
    const isWanted = (): boolean => wanted.current.key === asked.key;
    void asked.load().then(
      (data) => isWanted() && setState({ key: asked.key, data }),
      (error: unknown) =>
        isWanted() &&
        setState((before) => ({
          key: asked.key,
          ...(before.key === asked.key && before.data !== undefined ? { data: before.data } : {}),
          problem: textOf(error),
        })),
    );
  }, []);

  useEffect(() => {
    reload();
    if (everyMs === 0) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), everyMs);
    return () => clearInterval(timer);
  }, [key, everyMs, reload]);

  const isCurrent = state.key === key;
  return { data: isCurrent ? state.data : undefined, problem: isCurrent ? state.problem : undefined, reload };
}
