// Declares the service for the probe.
export const name = "events";
