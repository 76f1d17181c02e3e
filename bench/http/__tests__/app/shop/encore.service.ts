import { middleware } from "encore.dev/api";
import { Service } from "encore.dev/service";

/** One middleware that does what every app's does: look at the request, let it through. */
const stamp = middleware({ target: { tags: ["stamped"] } }, async (req, next) => {
  (req.data as { seen?: string }).seen = "yes";
  return next(req);
});

export default new Service("shop", { middlewares: [stamp] });
