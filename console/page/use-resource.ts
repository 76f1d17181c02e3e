// What a view shows of the app: asked for when the view opens and when its key changes, again every so often while the tab is
// looked at, and at once when somebody has changed something.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { inBackground, textOf } from "./client";

export interface Resource<T> {
  /** Of the key's last answer; undefined before the first. */
  data: T | undefined;
  /** When that came, in milliseconds since 1970. */
  asOfMs: number | undefined;
  /** Of the last time that it was asked for. */
  problem: string | undefined;
  reload: () => void;
}

/** `load` is asked anew when `key` changes, and every `everyMs` unless that is 0. */
export function useResource<T>(key: string, load: () => Promise<T>, everyMs = 0): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; asOfMs?: number; problem?: string }>({ key });
  const wanted = useRef({ key, load });
  wanted.current = { key, load };

  /** Answers are taken in the order in which they were asked for: one that was overtaken is left. */
  const asked = useRef({ last: 0, underWay: 0 });

  const ask = useCallback((isByItself: boolean) => {
    const { key: askedKey, load: askedLoad } = wanted.current;
    const number = ++asked.current.last;
    asked.current.underWay++;
    const isWanted = (): boolean => wanted.current.key === askedKey && asked.current.last === number;
    const answer = isByItself ? inBackground(askedLoad) : askedLoad();
    void answer
      .finally(() => asked.current.underWay--)
      .then(
        (data) => isWanted() && setState({ key: askedKey, data, asOfMs: Date.now() }),
        (error: unknown) =>
          isWanted() &&
          setState((before) => ({
            ...(before.key === askedKey ? before : {}),
            key: askedKey,
            problem: textOf(error),
          })),
      );
  }, []);
  const reload = useCallback(() => ask(false), [ask]);

  useEffect(() => {
    reload();
    if (everyMs === 0) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && asked.current.underWay === 0) ask(true);
    }, everyMs);
    return () => clearInterval(timer);
  }, [key, everyMs, ask, reload]);

  const isCurrent = state.key === key;
  const { data, asOfMs, problem }: Partial<typeof state> = isCurrent ? state : {};
  return { data, asOfMs, problem, reload };
}
