// The app as the HTTP part sees it: compiled endpoints, router, authenticator and cross-origin rules.
import type { Host } from "../host";
import type { EndpointModel } from "../model";
import { Authenticator } from "./authentication";
import { Cors } from "./cors";
import { Endpoint, EndpointCompiler } from "./endpoint";
import { Peers } from "./peers";
import { RequestLog } from "./request-log";
import { Router } from "./router";

/** Of an endpoint that a production has no route to: whoever asks for it there is answered as for any other path that leads nowhere. */
const DEVELOPMENT_TAG = "development";

export class HttpApp {
  readonly router = new Router<Endpoint>();
  readonly authenticator: Authenticator | null;
  readonly cors: Cors;
  readonly log: RequestLog;
  readonly hasStreams: boolean;
  readonly peers: Peers;
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly services: Set<string>;

  constructor(readonly host: Host) {
    const { model, config } = host;
    const hosted = config.hostedServices ? new Set(config.hostedServices) : null;
    const compiler = new EndpointCompiler(model, host.newDecimal);
    this.log = new RequestLog(host.log, host.countRequest);
    this.peers = new Peers(host);
    const isAbsent = ({ tags }: EndpointModel): boolean =>
      config.environment.type === "production" && tags.includes(DEVELOPMENT_TAG);
    const isHere = (service: string): boolean => hosted?.has(service) ?? true;
    const within = model.services.filter(({ name }) => isHere(name) || this.peers.of(name));
    this.services = new Set(within.map(({ name }) => name));
    for (const { name, endpoints } of within) {
      // Only a gateway passes on requests to services of other processes.
      for (const endpoint of endpoints)
        this.add(endpoint, compiler, (isHere(name) || config.hostsGateway) && !isAbsent(endpoint));
    }
    this.authenticator = model.authHandler ? new Authenticator(model.authHandler, compiler, this.log) : null;
    const all = [...this.endpoints.values()];
    this.hasStreams = all.some((e) => e.kind === "stream");
    const exposed = all.filter((e) => e.model.expose);
    this.cors = new Cors({
      settings: model.app.globalCors,
      open: config.environment.type === "development" && config.environment.cloud === "local",
      requestFields: [...exposed.flatMap((e) => e.requestHeaders), ...(this.authenticator?.codec.places.header ?? [])],
      responseFields: exposed.flatMap((e) => e.response.headerFields),
    });
  }

  private add(model: EndpointModel, compiler: EndpointCompiler, isRouted: boolean): void {
    const endpoint = new Endpoint(model, compiler);
    this.endpoints.set(endpoint.name, endpoint);
    if (isRouted) this.router.add(model.path, endpoint.kind === "stream" ? ["GET"] : endpoint.methods, endpoint);
  }

  find(service: string, name: string): Endpoint | undefined {
    return this.endpoints.get(`${service}.${name}`);
  }

  hasService(name: string): boolean {
    return this.services.has(name);
  }
}
