// The telemetry service: probes, metrics and documentation. (The library part of this folder — logger, tracing,
// metrics, shutdown — is imported by everybody and belongs to no service.)
import { Service } from "encore.dev/service";

import { guardOf } from "../security/guard";

export default new Service("telemetry", { middlewares: guardOf("telemetry") });
