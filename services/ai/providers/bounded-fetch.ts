// `fetch` to a provider: follows no redirect, which would carry the key and the prompt elsewhere, and reads no more than an
// answer can have.

/** The longest answer is a quarter of it, with all that streams say around each token. */
const ANSWER_BYTES_MAX = 32 << 20;

export const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: "error" });
  if (response.body === null) return response;
  let bytes = 0;
  const bounded = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (part, controller) => {
        bytes += part.byteLength;
        if (bytes > ANSWER_BYTES_MAX) controller.error(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`));
        else controller.enqueue(part);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(bounded, { status, statusText, headers });
};
