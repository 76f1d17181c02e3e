// The part of snappyjs that is used; it brings no types of its own.
declare module "snappyjs" {
  const snappy: { compress(data: Uint8Array): Uint8Array; uncompress(data: Uint8Array): Uint8Array };
  export = snappy;
}
