// The module that encore.dev loads through ENCORE_RUNTIME_LIB (contract 13.1): every name of napi.d.cts,
// one file per class family.
export { Runtime } from "./runtime";
export { Request } from "./request";
export { ResponseWriter } from "./response-writer";
export { BodyReader } from "./body-reader";
export { Gateway } from "./gateway";
export { Sink, Socket, Stream, WebSocketClient } from "./streams";
export { ApiCallError, ApiCallError as APICallError } from "./api-call";
export { Decimal } from "./decimal";
export { Cursor, QueryArgs, Row, SqlConn, SqlConn as SQLConn, SqlDatabase, SqlDatabase as SQLDatabase, Transaction } from "./sql";
export { PubSubSubscription, PubSubTopic } from "./pubsub";
export { Secret } from "./secret";
export { Logger, LogLevel } from "./logger";
export { MetricsRegistry, MetricType } from "./metrics";
export { CacheCluster } from "./cache";
export { Bucket, BucketObject, ListEntry, ListIterator, ObjectAttrs, ObjectErrorKind, TypedObjectError } from "./bucket";
export { CloudProvider, EnvironmentType } from "./meta";
