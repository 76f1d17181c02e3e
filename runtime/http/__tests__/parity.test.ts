// Every recorded answer, in one thread. In several: parity-threads.pg.test.ts, in the suite that has the time.
import { answersAsRecorded, exceptionsStayFew } from "./support/parity-suite";

answersAsRecorded(1);
exceptionsStayFew();
