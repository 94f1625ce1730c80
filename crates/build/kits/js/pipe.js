// Piping a readable stream into a writable one (https://streams.spec.whatwg.org/#rs-pipe-to).

export async function pipe(source, destination, options) {
  const { preventClose, preventAbort, preventCancel, signal } = options ?? {};
  if (source.locked || destination.locked) {
    throw new TypeError("Invalid state: the stream is locked");
  }
  const reader = source.getReader();
  const writer = destination.getWriter();
  const aborted = Promise.withResolvers();
  aborted.promise.catch(() => {});
  const onAbort = () => aborted.reject({ aborted: true, error: signal.reason });
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  // Whichever side ends first decides what happens to the other.
  const lost = writer.closed.then(
    () => Promise.reject({ written: true, error: new TypeError("the destination is closed") }),
    (error) => Promise.reject({ written: true, error }),
  );
  lost.catch(() => {});
  let last = Promise.resolve();
  try {
    for (;;) {
      await Promise.race([writer.ready, aborted.promise, lost]);
      const read = reader.read().catch((error) => Promise.reject({ error }));
      const { value, done } = await Promise.race([read, aborted.promise, lost]);
      if (done) break;
      last = writer.write(value);
      last.catch(() => {});
    }
    if (preventClose) await last;
    else await writer.close();
  } catch (end) {
    const known = end?.aborted || end?.written || (end && "error" in end);
    const error = known ? end.error : end;
    await last.catch(() => {});
    if (!end?.written && known && !preventAbort) await writer.abort(error).catch(() => {});
    const cancels = end?.written || end?.aborted || !known;
    if (cancels && !preventCancel) await reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    reader.releaseLock();
    writer.releaseLock();
  }
}
