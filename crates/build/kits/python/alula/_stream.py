"""Bodies on the wire: `wasi:io` streams as async iterators, and back."""

import sys

from componentize_py_types import Err
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import OutgoingBody

from ._loop import LOOP
from ._report import report

# Bytes asked for at a time. The host gives what has arrived, mostly less.
CHUNK = 65536


class Incoming:
    """An incoming body: an async iterator of bytes that waits without holding up other tasks."""

    __slots__ = ("_body", "_stream")

    def __init__(self, body):
        self._body = body
        self._stream = body.stream()

    def __aiter__(self):
        return self

    async def __anext__(self):
        while self._stream is not None:
            try:
                data = self._stream.read(CHUNK)
            except Err as error:
                self.close()
                if isinstance(error.value, StreamError_Closed):
                    break
                reason = error.value.value
                text = reason.to_debug_string()
                reason.__exit__(None, None, None)
                raise ConnectionError(f"the body broke off: {text}") from None
            if data:
                return data
            await LOOP.ready(self._stream.subscribe())
        raise StopAsyncIteration

    def close(self):
        """Gives the body back to the host; what is left of it is not read."""
        if self._stream is not None:
            # The stream is the body's child, so it goes first.
            self._stream.__exit__(None, None, None)
            self._body.__exit__(None, None, None)
            self._stream = self._body = None

    async def aclose(self):
        """As `close`; what async iterators are asked for."""
        self.close()

    def __del__(self):
        self.close()


async def send(stream, body, source):
    """Sends a body to its end and finishes it.

    When the other side is gone, the source is closed and nothing is raised. When the source raises,
    that is logged and the body ends unfinished, so that the reader can tell.
    """
    whole = False
    try:
        if isinstance(source, bytes):
            whole = await _push(stream, source)
        else:
            whole = True
            async for piece in source:
                data = piece.encode() if isinstance(piece, str) else bytes(piece)
                if not await _push(stream, data):
                    whole = False
                    break
    except Exception as error:
        whole = False
        report(error)
    finally:
        stream.__exit__(None, None, None)
        close = getattr(source, "aclose", None)
        if close is not None and not whole:
            await close()
        if whole:
            try:
                OutgoingBody.finish(body, None)
            except Err as error:
                print(f"the body could not be finished: {error.value!r}", file=sys.stderr)
        else:
            body.__exit__(None, None, None)


async def _push(stream, data):
    """Writes as the other side has room. False when it is gone."""
    start, end = 0, len(data)
    try:
        while start < end:
            room = stream.check_write()
            if room == 0:
                await LOOP.ready(stream.subscribe())
            elif start == 0 and room >= end:
                stream.write(data)
                return True
            else:
                stream.write(data[start : start + room])
                start += room
    except Err:
        return False
    return True
