// No request holds the event loop: every kind of the longest bodies, on three endpoints each, and some of the other requests. All bodies on
// all endpoints are in event-loop.long.test.ts.
import { holdsNoEventLoop } from "./support/event-loop";

holdsNoEventLoop({ endpointsPerBody: 3, all: false });
