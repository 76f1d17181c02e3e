// The same endpoint as in guarded/, open to everybody.
import { api, type Query } from "encore.dev/api";
import type { Max, Min, MinLen } from "encore.dev/validate";

interface ReadRequest {
  id: string & MinLen<1>;
  k?: Query<number & Min<1> & Max<50>>;
}

interface ReadResponse {
  id: string;
  owner: string;
}

export const read = api(
  { expose: true, method: "GET", path: "/bare/:id", tags: ["public:benchmark"] },
  async ({ id }: ReadRequest): Promise<ReadResponse> => ({ id, owner: "nobody" }),
);
