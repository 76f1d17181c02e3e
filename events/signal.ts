// Wakes the relay of this process after a commit that wrote to the outbox. The relay sits above whoever
// commits, so the two meet here.

type RelaySignal = (destination: string) => void;

let wake: RelaySignal | undefined;

/** Called after the commit; without a relay in this process nothing happens and another process's poll finds the row. */
export function signalRelay(destination: string): void {
  wake?.(destination);
}

/** The running relay's own; undefined takes it away. */
export function onRelaySignal(listener: RelaySignal | undefined): void {
  wake = listener;
}
