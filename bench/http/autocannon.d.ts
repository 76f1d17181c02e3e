// The part of autocannon that bench.ts uses; the package ships no types.
declare module "autocannon" {
  interface Options {
    url: string;
    connections: number;
    duration: number;
    method: "GET" | "POST";
    path: string;
    headers?: Record<string, string>;
    body?: string;
  }
  interface Result {
    requests: { average: number; total: number };
    non2xx: number;
    errors: number;
  }
  // eslint-disable-next-line no-restricted-syntax -- this is how the package exports it
  export default function autocannon(options: Options): Promise<Result>;
}
