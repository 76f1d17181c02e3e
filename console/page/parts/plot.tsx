// A line plot over time by uPlot. Its last values stand in words above it, so that nothing is told by a picture alone.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Line {
  label: string;
  /** A CSS variable. */
  colour: string;
  /** One for each time; null draws a gap. */
  values: readonly (number | null)[];
  text: (value: number) => string;
}

interface Props {
  title: string;
  /** Seconds since 1970. */
  times: readonly number[];
  lines: readonly Line[];
  /** The scale reaches it at least, so that a quiet hour does not look like a busy one. */
  top: number;
}

const HEIGHT = 180;

const colourOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsFor({ lines, top }: Props, width: number): uPlot.Options {
  const axis = { stroke: colourOf("--quiet"), grid: { stroke: colourOf("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, top)] } },
    axes: [
      { ...axis, size: 28, space: 70, values: [[1, "{HH}:{mm}", null, null, null, null, null, null, 1]] },
      { ...axis, size: 56, values: (_plot, splits) => splits.map((value) => lines[0]?.text(value) ?? String(value)) },
    ],
    series: [{}, ...lines.map(({ label, colour }) => ({ label, stroke: colourOf(colour), width: 2, spanGaps: false }))],
  };
}

const lastOf = ({ values, text }: Line): string => {
  const value = values.findLast((one) => one !== null);
  return value === undefined || value === null ? "–" : text(value);
};

export function Plot(props: Props) {
  const { title, times, lines } = props;
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | undefined>(undefined);
  const data = [[...times], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData;

  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    // Anew with other colours too, of what it shows by then.
    const draw = (): void => {
      drawn.current?.destroy();
      drawn.current = new uPlot(optionsFor(props, element.clientWidth), drawn.current?.data ?? data, element);
    };
    draw();
    const resize = new ResizeObserver(() => drawn.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resize.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      resize.disconnect();
      scheme.removeEventListener("change", draw);
      drawn.current?.destroy();
      drawn.current = undefined;
    };
  }, []);
  useEffect(() => drawn.current?.setData(data), [times.at(-1), times.length]);

  return (
    <figure class="card plot">
      <figcaption>
        <h2>{title}</h2>
        {lines.map((line) => (
          <span key={line.label} class="key">
            <i class={`swatch ${line.colour.slice(2)}`} /> {line.label} <strong>{lastOf(line)}</strong>
          </span>
        ))}
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}
