"""Bodies: bytes that are there, or a stream that arrives."""

import json as _json


class BodyUsed(RuntimeError):
    """A body that was streamed cannot be read again."""


class Body:
    """What `Request` and `Response` share: a body that is read once, whole or in pieces.

    `async for chunk in …` gives the pieces as they arrive and keeps none of them; `bytes`, `text`
    and `json` read all of it into memory and may be called again.
    """

    __slots__ = ("_source",)

    def _set_body(self, body):
        """Takes str, bytes-like, an async iterable, an iterable of such pieces, or None."""
        if body is None:
            self._source = b""
        elif isinstance(body, str):
            self._source = body.encode()
        elif isinstance(body, bytes):
            self._source = body
        elif isinstance(body, (bytearray, memoryview)):
            self._source = bytes(body)
        elif hasattr(body, "__aiter__"):
            self._source = body
        elif hasattr(body, "__iter__") and not isinstance(body, dict):
            self._source = _each(body)
        else:
            kind = type(body).__name__
            raise TypeError(f"a body is str, bytes or an iterator of them, not {kind}")

    def _take(self):
        """The body for sending: bytes, or an async iterable that nobody else will read."""
        source = self._source
        if source is None:
            raise BodyUsed("the body has been read already")
        if not isinstance(source, bytes):
            self._source = None
        return source

    async def bytes(self):
        """The whole body."""
        source = self._source
        if isinstance(source, bytes):
            return source
        whole = bytearray()
        async for piece in self._take():
            whole += piece.encode() if isinstance(piece, str) else piece
        self._source = whole = bytes(whole)
        return whole

    async def text(self):
        """The whole body as text: UTF-8, with U+FFFD for what is not."""
        return (await self.bytes()).decode("utf-8", "replace")

    async def _read_json(self):
        return _json.loads(await self.bytes())

    async def __aiter__(self):
        source = self._take()
        if isinstance(source, bytes):
            self._source = None
            if source:
                yield source
            return
        async for piece in source:
            yield piece.encode() if isinstance(piece, str) else piece


async def _each(pieces):
    for piece in pieces:
        yield piece
