// `new CacheCluster("name", { evictionPolicy })`, `CacheCluster.named` and the keyspaces on a cluster (L-36).
import { spotOf } from "../source/modules";
import { expression, fields, located, refuseAt, text, type Located } from "../source/literals";
import { enclosingNew, referencesTo, type Reference } from "../source/references";
import { ts, type TypeScript } from "../typescript";
import { basic, isBasic, type Type } from "../types/type";
import { checkKey } from "./cache-key";
import { eachNamedClass, eachNamedReference } from "./named-class";
import type { Pass, ResourceFinder } from "./pass";

const SPECIFIER = "encore.dev/storage/cache";
const POLICIES = [
  "noeviction",
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "volatile-lru",
  "volatile-lfu",
  "volatile-ttl",
  "volatile-random",
];
const POLICY_PROBLEM = `invalid eviction policy: must be one of ${POLICIES.slice(0, -1).join(", ")}, or ${POLICIES.at(-1)}`;

const clusterConfig = fields({ evictionPolicy: located(text) });

function policyOf(given: Located<string> | undefined): string {
  if (!given) return "allkeys-lru";
  if (POLICIES.includes(given.value)) return given.value;
  throw refuseAt(given.node, POLICY_PROBLEM);
}

export const clusterFinder: ResourceFinder = {
  specifier: SPECIFIER,
  find(pass) {
    eachNamedClass(
      pass,
      { specifier: SPECIFIER, classes: ["CacheCluster"], config: clusterConfig },
      ({ node, name, doc, config }) => {
        const evictionPolicy = policyOf(config?.evictionPolicy);
        pass.add({ kind: "cluster", node, module: pass.module, name, doc, evictionPolicy });
      },
    );
    eachNamedReference(pass, SPECIFIER, "CacheCluster", (name, node) => pass.addNamed("cluster", name, node));
  },
};

/** What a keyspace holds; undefined where the second type argument says it. */
const VALUES: Record<string, Type | undefined> = {
  StringKeyspace: basic("string"),
  StringListKeyspace: basic("string"),
  StringSetKeyspace: basic("string"),
  IntKeyspace: basic("number"),
  FloatKeyspace: basic("number"),
  NumberListKeyspace: basic("number"),
  NumberSetKeyspace: basic("number"),
  StructKeyspace: undefined,
};

const keyspaceConfig = fields({ keyPattern: located(text), defaultExpiry: expression }, ["keyPattern"]);

function structValue(node: TypeScript.TypeNode | undefined, pass: Pass): Type | undefined {
  if (!node) return undefined;
  const { type } = pass.typeAt(node);
  const behind = pass.evaluator.underlying(type);
  if (behind.kind === "interface" || behind.kind === "class") return type;
  throw refuseAt(node, "StructKeyspace value type must be an interface or object type");
}

function readArguments(node: TypeScript.NewExpression): { cluster: TypeScript.Expression; pattern: Located<string> } {
  if (!node.arguments) throw refuseAt(node, "missing constructor arguments");
  const [cluster, config] = node.arguments;
  if (!cluster || !config) throw refuseAt(node, "keyspace constructor requires cluster and config arguments");
  if (!ts.isIdentifier(node.expression)) throw refuseAt(node, "expected keyspace class name");
  if (ts.isSpreadElement(cluster)) throw refuseAt(cluster, "cannot use spread for cluster");
  if (ts.isSpreadElement(config)) throw refuseAt(config, "cannot use spread for config");
  const { keyPattern } = keyspaceConfig(config);
  if (!keyPattern) throw refuseAt(config, "field keyPattern is required but is missing");
  return { cluster, pattern: keyPattern };
}

function readKeyspace({ id, imported }: Reference, pass: Pass): void {
  const node = enclosingNew(id);
  if (!node) return;
  const { cluster: clusterNode, pattern } = readArguments(node);
  const [keyNode, valueNode] = node.typeArguments ?? [];
  if (!keyNode) throw refuseAt(node, "missing key type parameter");
  const key = pass.typeAt(keyNode);
  if (isBasic(key.type, "any", "unknown"))
    throw refuseAt(keyNode, `'${(key.type as { name: string }).name}' is not supported as a cache key type`);
  const before = pass.diagnostics.count;
  checkKey(key, pattern, pass);
  if (pass.diagnostics.count > before) return;
  const value = VALUES[imported] ?? structValue(valueNode, pass);
  const cluster = pass.evaluator.objectOf(clusterNode, pass.module);
  if (!cluster) return pass.diagnostics.report("could not resolve cache cluster reference", spotOf(node));
  pass.add({
    kind: "keyspace",
    node,
    module: pass.module,
    doc: pass.doc(node),
    cluster,
    key,
    value,
    pattern: pattern.value,
  });
}

export const keyspaceFinder: ResourceFinder = {
  specifier: SPECIFIER,
  find: (pass) =>
    pass.each(referencesTo(pass.module, SPECIFIER, Object.keys(VALUES)), (reference) => readKeyspace(reference, pass)),
};
