// Breaks `layers`: what ships does not import what only tests use.
export { createCaller } from "../testing";
