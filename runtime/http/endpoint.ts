// The endpoints of the model, compiled once: where their fields travel, how they are read and written, who may call.
import type { AppModel, EndpointModel, Schema } from "../model";
import { JsonDecoderCompiler, type NewDecimal } from "../schema/json-decoder";
import { placeFields, RequestCodec } from "../schema/request-codec";
import { ResponseCodec } from "../schema/response-codec";
import { ShapeResolver, type ShapeField } from "../schema/shape";
import type { ApiRoute } from "../native/types";
import type { ApiCallData } from "../native/request";

export type Handler = ApiRoute["handler"];
export type EndpointKind = "typed" | "raw" | "static" | "stream";

const ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
/** Methods whose fields travel in the body (H-30). */
const BODY_METHODS = new Set(["POST", "PUT", "PATCH"]);

export class Endpoint {
  readonly kind: EndpointKind;
  readonly methods: readonly string[];
  /** What `currentRequest().api` shows. */
  readonly api: ApiCallData["api"];
  readonly response: ResponseCodec;
  private readonly body: RequestCodec;
  private readonly query: RequestCodec;
  private readonly handlers: Handler[] = [];
  private turn = 0;

  constructor(
    readonly model: EndpointModel,
    compile: EndpointCompiler,
  ) {
    this.kind = kindOf(model);
    this.methods = this.kind === "static" ? ["GET", "HEAD"] : model.methods.includes("*") ? ALL_METHODS : model.methods;
    const isRaw = this.kind === "raw";
    this.api = { service: model.service, endpoint: model.name, raw: isRaw, requiresAuth: model.auth, tags: model.tags };
    const request =
      this.kind === "stream" ? (model.handshake ?? null) : isRaw || this.kind === "static" ? null : model.request;
    try {
      this.body = compile.request(request, model, "body");
      this.query = compile.request(request, model, "query");
      this.response = compile.response(this.kind === "typed" ? model.response : null);
    } catch (cause) {
      const { file, line } = model.place;
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${file}:${line}: endpoint ${this.name}: ${problem}`, { cause });
    }
  }

  get name(): string {
    return `${this.model.service}.${this.model.name}`;
  }

  /** How requests of this method are read (H-32). */
  codec(method: string): RequestCodec {
    return BODY_METHODS.has(method) ? this.body : this.query;
  }

  /** The method that callers inside the process use: the first that has a body, else the first. */
  get callMethod(): string {
    return this.methods.find((m) => BODY_METHODS.has(m)) ?? this.methods[0] ?? "GET";
  }

  /** Adds a handler; worker threads and tests register the same endpoint again, which makes a round robin. */
  register(handler: Handler, replace: boolean): void {
    if (replace) this.handlers.length = 0;
    this.handlers.push(handler);
  }

  /** The handler whose turn it is; undefined before one is registered (H-18a). */
  handler(): Handler | undefined {
    return this.handlers.length < 2 ? this.handlers[0] : this.handlers[this.turn++ % this.handlers.length];
  }

  /** Header fields that browsers have to be told about (H-123). */
  get requestHeaders(): readonly ShapeField[] {
    return this.kind === "stream" ? [] : this.body.places.header;
  }
}

function kindOf(model: EndpointModel): EndpointKind {
  if (model.protocol === "regular") return "typed";
  return model.protocol === "raw" || model.protocol === "static" ? model.protocol : "stream";
}

/** Compiles the schemas of one model; decoders of named types are shared. */
export class EndpointCompiler {
  readonly resolver: ShapeResolver;
  readonly json: JsonDecoderCompiler;

  constructor(
    model: Pick<AppModel, "decls">,
    readonly newDecimal: NewDecimal,
  ) {
    this.resolver = new ShapeResolver(model.decls);
    this.json = new JsonDecoderCompiler(newDecimal);
  }

  request(
    schema: Schema | null | undefined,
    endpoint: Pick<EndpointModel, "path">,
    rest: "query" | "body",
  ): RequestCodec {
    const places = placeFields(schema ? this.resolver.struct(schema) : null, endpoint.path, rest);
    return new RequestCodec(places, endpoint.path, this.json, this.newDecimal);
  }

  response(schema: Schema | null): ResponseCodec {
    return new ResponseCodec(schema ? this.resolver.struct(schema) : null, this.json, this.newDecimal);
  }
}
