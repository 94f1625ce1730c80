// Piping a readable stream into a writable one (https://streams.spec.whatwg.org/#rs-pipe-to).

// What ended a pipe before its source did.
class Ended {
  constructor(side, error) {
    this.side = side;
    this.error = error;
  }
}

export async function pipe(source, destination, options) {
  const { preventClose, preventAbort, preventCancel, signal } = options ?? {};
  if (source.locked || destination.locked) {
    throw new TypeError("Invalid state: the stream is locked");
  }
  const reader = source.getReader();
  const writer = destination.getWriter();
  // The first end counts. Waits are interrupted one at a time: racing each against one promise that
  // lasts as long as the pipe would keep every chunk that ever went through.
  let ended = null;
  let interrupt = null;
  const end = (side, error) => {
    ended ??= new Ended(side, error);
    interrupt?.(ended);
  };
  const wait = (promise, side) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      interrupt = reject;
      promise.then(resolve, (error) => reject(ended ?? new Ended(side, error)));
    });
  const onAbort = () => end("signal", signal.reason);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  writer.closed.then(
    () => end("destination", new TypeError("the destination is closed")),
    (error) => end("destination", error),
  );
  let last = Promise.resolve();
  try {
    for (;;) {
      await wait(writer.ready, "destination");
      const { value, done } = await wait(reader.read(), "source");
      if (done) break;
      last = writer.write(value);
      last.catch(() => {});
    }
    interrupt = null;
    if (preventClose) await last;
    else await writer.close();
  } catch (reason) {
    const { side, error } = reason instanceof Ended ? reason : new Ended("destination", reason);
    await last.catch(() => {});
    if (side !== "destination" && !preventAbort) await writer.abort(error).catch(() => {});
    if (side !== "source" && !preventCancel) await reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    reader.releaseLock();
    writer.releaseLock();
  }
}
