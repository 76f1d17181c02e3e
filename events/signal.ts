// Wakes the relay of this process after a commit that wrote to the outbox. The relay sits above whoever
// commits, so the two meet here.

let wake: (() => void) | undefined;

/** Called after the commit; without a relay in this process nothing happens and another process's poll finds the row. */
export function signalRelay(): void {
  wake?.();
}

/** The running relay's own; undefined takes it away. */
export function onRelaySignal(listener: (() => void) | undefined): void {
  wake = listener;
}
