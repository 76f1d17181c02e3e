// Where this host answers the infrastructure kit differently on purpose, and at which places of the answer.
// A case that differs anywhere else fails, and so does an entry here that is no longer needed.

export interface Exception {
  /** Places that may differ; nothing else may. */
  paths: RegExp;
  reason: string;
}

/** Places where both answers are right, because the case races a clock: a key that lives for 1 ms, deleted at once. */
export const races: Record<string, RegExp> = { "cache.expiry.invalid": /\.out\[5\]$/ };

const cliProxy: Exception = {
  paths: /headers\.(date|x-encore-auth)$/,
  reason:
    "recorded through the CLI's development proxy, which adds Date and its own signature; a host that is reached directly does not",
};

const emulator = (paths: RegExp, what: string): Exception => ({
  paths,
  reason: `artefact of the local storage emulator, not a goal (the kit's README): ${what}`,
});

const failuresAreLogged: Exception = {
  paths: /^\.logs/,
  reason:
    "a delivery that fails is logged with its reason, and a failed one does not claim to be completed; officially it vanishes silently (Appendix B, P-23)",
};

export const exceptions: Record<string, Exception> = {
  "bus.max_concurrency": {
    paths: /overlap\.wide$/,
    reason:
      "all messages of the case share the ordering attribute, which this host honours: one after the other. Locally the official runtime ignores it, self-hosted it loses it (P-11)",
  },
  "bus.handler_error.logs": failuresAreLogged,
  "bus.bad_payload.logs": failuresAreLogged,
  "bucket.empty_object": emulator(/\.out\[[01]\]/, "it cannot describe an object of no bytes"),
  "bucket.list": emulator(/\.out\[6\]/, "a limit of 0 is an HTTP error there; here it lists nothing"),
  "bucket.odd_names": emulator(/\.out\[[567]\]/, "it cannot store a name with a leading slash"),
  "bucket.versioned": emulator(/\.out\[5\]/, "it says that a version which was never made exists"),
  "bucket.http.signed_tampered": {
    paths: /\.out\.(status|body|contentType)$/,
    reason:
      "a URL whose signature was changed is refused with 403; locally the official runtime does not look at it (Appendix B, X-32)",
  },
  "meta.thrown": {
    paths: /^\.logs\[1\]\.level$/,
    reason:
      "a failure that the caller made (4xx) is logged as info: whoever is woken by errors sleeps, and tests, which print errors, stay readable. Officially every failure is an error",
  },
  "meta.request.get": cliProxy,
  "meta.request.post": cliProxy,
  "meta.request.raw": cliProxy,
  "meta.auth.open_with_user": cliProxy,
};

/** On S3 a bucket that is not versioned has no versions to tell of; the recorded emulator gives every object one. */
export const withoutVersions = /\.out\[\d+\]\.version$/;

const s3Server = (paths: RegExp, what: string): Exception => ({
  paths,
  reason: `the answer of the S3 server itself: ${what}`,
});

/** Where buckets on S3 answer differently: the first four as on disk, the others because a URL leads to another server. */
export const s3Exceptions: Record<string, Exception> = {
  "bucket.empty_object": emulator(/\.out\[[01]\]/, "it cannot describe an object of no bytes"),
  "bucket.list": emulator(/\.out\[6\]/, "a limit of 0 is an HTTP error there; here it lists nothing"),
  "bucket.odd_names": emulator(/\.out\[[567]\]/, "it cannot store a name with a leading slash"),
  "bucket.versioned": emulator(
    /\.out\[(4\]\.(class|name)|5\])/,
    "it has no versions; S3's are any text, so that none is misspelt, only missing",
  ),
  "bucket.public_url": { paths: /\.out\[0\]$/, reason: "it begins with the configured address" },
  "bucket.signed_shape": {
    paths: /\.(keys|path)$/,
    reason: "S3's own way of signing, and the bucket's name and prefix there",
  },
  "bucket.http.public": s3Server(/\.contentType$/, "the type of its error page"),
  "bucket.http.signed_put": s3Server(/\.contentType$/, "the type of an empty answer"),
  "bucket.http.signed_get_missing": s3Server(/\.contentType$/, "the type of its error page"),
  "bucket.http.signed_tampered": s3Server(
    /\.out\.(status|body|contentType)$/,
    "the one of this test, moto, checks no signature; radosgw does, in objects/__tests__/s3.pg.test.ts",
  ),
};
