/**
 * The pieces of `source`, ending with the signal's reason as soon as it fires even while the source is still owing a
 * piece. A source that is waited for is told to end, not waited for.
 */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let interrupt: ((reason: unknown) => void) | undefined;
  const onAbort = (): void => interrupt?.(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  let ended = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T, unknown>>();
      interrupt = reject;
      iterator.next().then(resolve, (error: unknown) => {
        ended = true;
        reject(error);
      });
      const result = await promise;
      if (result.done === true) {
        ended = true;
        return;
      }
      yield result.value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (!ended) iterator.return?.().catch(() => undefined);
  }
}
