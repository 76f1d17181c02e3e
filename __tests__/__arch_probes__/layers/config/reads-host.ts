// Breaks `layers`: nothing of the application imports runtime/.
export { port } from "../runtime/port";
