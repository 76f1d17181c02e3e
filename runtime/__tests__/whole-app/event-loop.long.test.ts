// No request holds the event loop: every kind of the longest bodies on every endpoint there is, and some of the other requests. With
// GROUNDWORK_FUZZ_LONG=1 every field, header, query and path of every endpoint as well.
import { holdsNoEventLoop } from "./support/event-loop";

holdsNoEventLoop(process.env.GROUNDWORK_FUZZ_LONG === "1");
