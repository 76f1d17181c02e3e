// What may be done with a bucket (L-37), and which permission it is.
import type { BucketResource } from "../resources/resource";
import { spotOf } from "../source/modules";
import type { TypeScript } from "../typescript";
import type { Use } from "./find";
import { permittedOperations, type Permissions } from "./operations";
import type { UseContext } from "./rules";

const OPERATIONS = {
  list: "LIST_OBJECTS",
  download: "READ_OBJECT_CONTENTS",
  upload: "WRITE_OBJECT",
  exists: "GET_OBJECT_METADATA",
  attrs: "GET_OBJECT_METADATA",
  remove: "DELETE_OBJECT",
  publicUrl: "GET_PUBLIC_URL",
  signedUploadUrl: "SIGNED_UPLOAD_URL",
  signedDownloadUrl: "SIGNED_DOWNLOAD_URL",
};
/** In the order of the metadata. */
export const BUCKET_OPERATIONS = [
  "LIST_OBJECTS",
  "READ_OBJECT_CONTENTS",
  "WRITE_OBJECT",
  "UPDATE_OBJECT_METADATA",
  "GET_OBJECT_METADATA",
  "DELETE_OBJECT",
  "GET_PUBLIC_URL",
  "SIGNED_UPLOAD_URL",
  "SIGNED_DOWNLOAD_URL",
];
const PERMISSIONS: Permissions = {
  what: "bucket",
  methods: OPERATIONS,
  types: {
    Lister: OPERATIONS.list,
    Attrser: OPERATIONS.attrs,
    Uploader: OPERATIONS.upload,
    SignedUploader: OPERATIONS.signedUploadUrl,
    Downloader: OPERATIONS.download,
    SignedDownloader: OPERATIONS.signedDownloadUrl,
    Remover: OPERATIONS.remove,
    PublicUrler: OPERATIONS.publicUrl,
  },
};

function refOperations(node: TypeScript.CallExpression, bucket: BucketResource, use: Use, ctx: UseContext): string[] {
  const [argument] = node.typeArguments ?? [];
  if (!argument) {
    ctx.diagnostics.report("expected a type argument in call to Bucket.ref", spotOf(node), {
      remedy: "For example `bucket.ref<Uploader & Downloader>()`.",
    });
    return [];
  }
  const type = ctx.evaluator.typeIn(argument, use.module);
  const found = permittedOperations(type, argument, PERMISSIONS, ctx.evaluator, ctx.diagnostics) ?? [];
  if (!bucket.public && found.includes(OPERATIONS.publicUrl))
    ctx.diagnostics.report("cannot use publicUrl on a non-public bucket", spotOf(argument));
  return found;
}

export function bucketOperations(use: Use, bucket: BucketResource, ctx: UseContext): string[] {
  const { shape } = use;
  if (shape.kind !== "method") {
    ctx.diagnostics.report("invalid use of bucket resource", spotOf(shape.node), {
      remedy: "Call its methods, or pass on `bucket.ref<…>()`.",
    });
    return [];
  }
  const name = shape.name.text;
  if (name === "ref") return refOperations(shape.node, bucket, use, ctx);
  const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name as keyof typeof OPERATIONS] : undefined;
  if (operation === undefined) {
    ctx.diagnostics.report("unsupported bucket operation", spotOf(shape.name));
    return [];
  }
  if (name === "publicUrl" && !bucket.public)
    ctx.diagnostics.report("cannot call publicUrl on a non-public bucket", spotOf(shape.node));
  return [operation];
}
