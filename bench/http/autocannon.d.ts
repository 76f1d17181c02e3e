// The part of autocannon that the benchmarks use; the package ships no types.
declare module "autocannon" {
  interface Request {
    method?: "GET" | "POST" | "PATCH";
    path?: string;
    body?: string;
    setupRequest?: (request: Request) => Request;
  }
  interface Options {
    url: string;
    connections: number;
    duration: number;
    method?: "GET" | "POST";
    path?: string;
    requests?: Request[];
    headers?: Record<string, string>;
    body?: string;
  }
  interface Result {
    requests: { average: number; total: number };
    latency: { p99: number };
    non2xx: number;
    errors: number;
  }
  // eslint-disable-next-line no-restricted-syntax -- this is how the package exports it
  export default function autocannon(options: Options): Promise<Result>;
}
