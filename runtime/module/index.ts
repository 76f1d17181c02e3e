// The module that encore.dev loads through ENCORE_RUNTIME_LIB (contract 13.1): every name of napi.d.cts,
// one file per class family.
export { Runtime } from "./runtime";
export { Request } from "../native/request";
export { ResponseWriter } from "../native/response-writer";
export { BodyReader } from "../native/body-reader";
export { Gateway } from "../http/gateway";
export { Sink, Socket, Stream, WebSocketClient } from "../native/streams";
export { ApiCallError, ApiCallError as APICallError } from "../native/api-call";
export { Decimal } from "../native/decimal";
export {
  Cursor,
  QueryArgs,
  Row,
  SqlConn,
  SqlConn as SQLConn,
  SqlDatabase,
  SqlDatabase as SQLDatabase,
  Transaction,
} from "../sql/native-classes";
export { PubSubSubscription, PubSubTopic } from "../pubsub/native-classes";
export { Secret } from "../secrets/secret";
export { Logger, LogLevel } from "../log/logger";
export { MetricsRegistry, MetricType } from "../metrics/registry";
export { CacheCluster } from "../cache/cluster";
export {
  Bucket,
  BucketObject,
  ListEntry,
  ListIterator,
  ObjectAttrs,
  ObjectErrorKind,
  TypedObjectError,
} from "../objects/bucket";
export { CloudProvider, EnvironmentType } from "../meta/native-classes";
