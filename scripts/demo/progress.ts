// Progress of the ingestion: a bar on a terminal, a line for each tenth elsewhere.
import cliProgress, { type Options, type Params } from "cli-progress";

export interface Progress {
  total: number;
  sent: number;
  ready: number;
  chunks: number;
}

export interface ProgressReport {
  update(progress: Progress): void;
  end(): void;
}

export function showProgress(total: number, output: NodeJS.WriteStream): ProgressReport {
  return output.isTTY ? bar(total, output) : lines(output);
}

function bar(total: number, output: NodeJS.WriteStream): ProgressReport {
  const startedAt = performance.now();
  const format = (options: Options, params: Params, payload: Partial<Progress>): string => {
    const { sent = 0, chunks = 0 } = payload;
    const filled = cliProgress.Format.BarFormat(params.progress, options);
    return `  ${filled} ${params.value}/${params.total} searchable · ${sent} sent · ${chunks} chunks · ${rateOf(params.value, startedAt)} · ${etaOf(params.value, params.total, startedAt)}`;
  };
  const single = new cliProgress.SingleBar(
    { format, stream: output, barsize: 24, fps: 4 },
    cliProgress.Presets.shades_classic,
  );
  single.start(total, 0, {});
  return { update: (progress) => single.update(progress.ready, progress), end: () => single.stop() };
}

function lines(output: NodeJS.WriteStream): ProgressReport {
  const startedAt = performance.now();
  let tenth = 0;
  return {
    update: ({ total, sent, ready, chunks }) => {
      const now = Math.floor((ready / total) * 10);
      if (now <= tenth) return;
      tenth = now;
      output.write(
        `  ${now * 10} % · ${ready}/${total} searchable · ${sent} sent · ${chunks} chunks · ${rateOf(ready, startedAt)} · ${etaOf(ready, total, startedAt)}\n`,
      );
    },
    end: () => undefined,
  };
}

function rateOf(ready: number, startedAt: number): string {
  const seconds = (performance.now() - startedAt) / 1000;
  return `${(ready / Math.max(seconds, 0.001)).toFixed(1)} documents/s`;
}

function etaOf(ready: number, total: number, startedAt: number): string {
  if (ready === 0) return "…";
  const seconds = Math.round((((performance.now() - startedAt) / ready) * (total - ready)) / 1000);
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s left` : `${seconds} s left`;
}
