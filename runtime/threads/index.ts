// Worker threads of one process: links between them, streams of bytes over links, and who does what.
export { ByteStream } from "./byte-stream";
export { answering, ThreadLost, type Channel } from "./link";
export type { ThreadMember } from "./member";
export type { Loss, ThreadPool } from "./pool";
export { realmCount, threadRole, type ThreadRole } from "./role";
export { oneAtATime, takePlace } from "./shared-memory";
