// Every recorded answer once more, from handlers that run in three threads.
import { answersAsRecorded } from "./support/parity-suite";

answersAsRecorded(3);
