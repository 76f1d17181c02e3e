// `fetch` to a provider: follows no redirect, which would carry the key and the prompt elsewhere, reads no more than an answer can
// have, and notes whether anything left: what is thrown before that cost nothing and is no fault of the provider's.

/** The longest answer is a quarter of it, with all that streams say around each token. */
const ANSWER_BYTES_MAX = 32 << 20;

/** Of one request. */
export interface Journey {
  hasLeft: boolean;
}

/** @param check looks at what is about to leave, and throws what keeps it here */
export function boundedFetch(journey: Journey, check: (body: unknown) => void): typeof fetch {
  return async (input, init) => {
    // What fetch itself would refuse before it sends anything.
    void new Headers(init?.headers);
    check(init?.body);
    init?.signal?.throwIfAborted();
    journey.hasLeft = true;
    return bounded(await fetch(input, { ...init, redirect: "error" }));
  };
}

function bounded(response: Response): Response {
  if (response.body === null) return response;
  let bytes = 0;
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (part, controller) => {
        bytes += part.byteLength;
        if (bytes > ANSWER_BYTES_MAX) controller.error(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`));
        else controller.enqueue(part);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}
