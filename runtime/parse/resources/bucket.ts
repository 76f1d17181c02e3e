// `new Bucket("name", { versioned, public })` and `Bucket.named("name")` (L-37).
import { fields, flag, refuseAt } from "../source/literals";
import { eachNamedClass, eachNamedReference } from "./named-class";
import { nameProblem } from "./names";
import type { ResourceFinder } from "./pass";

const SPECIFIER = "encore.dev/storage/objects";
const config = fields({ versioned: flag, public: flag });

export const bucketFinder: ResourceFinder = {
  specifier: SPECIFIER,
  find(pass) {
    eachNamedClass(pass, { specifier: SPECIFIER, classes: ["Bucket"], config }, (found) => {
      const { node, name, doc } = found;
      const problem = nameProblem(name, "-");
      if (problem) throw refuseAt(node, `invalid bucket name '${name}': ${problem}.`);
      const { versioned = false, public: isPublic = false } = found.config ?? {};
      pass.add({ kind: "bucket", node, module: pass.module, name, doc, versioned, public: isPublic });
    });
    eachNamedReference(pass, SPECIFIER, "Bucket", (name, node) => pass.addNamed("bucket", name, node));
  },
};
