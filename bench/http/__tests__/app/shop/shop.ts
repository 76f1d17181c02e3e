// The measured endpoints. They stand under __tests__ because the app around this repository must not parse them.
import { api, APIError, Gateway, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";

interface Item {
  id: string;
  name: string;
  price: number;
  inStock: boolean;
  tags: string[];
}

export const getItem = api(
  { expose: true, method: "GET", path: "/items/:id" },
  async ({ id }: { id: string }): Promise<Item> => ({
    id,
    name: "A thing",
    price: 12.5,
    inStock: true,
    tags: ["one", "two"],
  }),
);

interface Line {
  sku: string & MinLen<1> & MaxLen<64>;
  quantity: number & Min<1> & Max<1000>;
  note?: string & MaxLen<200>;
}
interface Order {
  customer: { name: string & MinLen<1> & MaxLen<100>; email: string & MaxLen<200> };
  lines: Line[];
  express: boolean;
}
interface Placed {
  id: string;
  lines: number;
  total: number;
}

export const placeOrder = api(
  { expose: true, method: "POST", path: "/orders" },
  async (order: Order): Promise<Placed> => ({
    id: "o-1",
    lines: order.lines.length,
    total: order.lines.reduce((sum, l) => sum + l.quantity, 0),
  }),
);

interface Who {
  user: string;
}

export const whoAmI = api(
  { expose: true, auth: true, method: "GET", path: "/me/:id", tags: ["stamped"] },
  async ({ id }: { id: string }): Promise<Who> => ({ user: id }),
);

export const auth = authHandler<{ authorization: Header<"Authorization"> }, { userID: string; role: string }>(
  async ({ authorization }) => {
    if (authorization !== "Bearer secret") throw APIError.unauthenticated("bad token");
    return { userID: "u-1", role: "admin" };
  },
);

export const gateway = new Gateway({ authHandler: auth });
