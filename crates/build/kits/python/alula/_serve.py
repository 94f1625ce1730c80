"""One request: from `wasi:http` to the author's `fetch`, and its response back."""

import os

from componentize_py_types import Err, Ok
from wit_world.imports import types
from wit_world.imports.types import Fields, OutgoingBody, OutgoingResponse, ResponseOutparam

from ._headers import Headers
from ._http import Request, Response
from ._loop import LOOP, start
from ._report import report
from ._stream import Incoming, send

_METHODS = {
    types.Method_Get: "GET",
    types.Method_Head: "HEAD",
    types.Method_Post: "POST",
    types.Method_Put: "PUT",
    types.Method_Delete: "DELETE",
    types.Method_Connect: "CONNECT",
    types.Method_Options: "OPTIONS",
    types.Method_Trace: "TRACE",
    types.Method_Patch: "PATCH",
}
# Responses with these statuses have no body and say nothing of its length.
_BODILESS = (204, 304)


class ServedRequest(Request):
    """The request being served. What is not asked for is not fetched from the host."""

    __slots__ = ("_raw",)

    def __init__(self, raw):
        self._raw = raw
        self._method = self._url = self._headers = None
        self._source = None
        self._incoming = None

    @property
    def method(self):
        if self._method is None:
            method = self._raw.method()
            self._method = _METHODS.get(type(method)) or method.value
        return self._method

    @property
    def headers(self):
        if self._headers is None:
            fields = self._raw.headers()
            self._headers = Headers._of_wire(fields.entries())
            fields.__exit__(None, None, None)
        return self._headers

    @property
    def url(self):
        if self._url is None:
            scheme = self._raw.scheme()
            name = "https" if isinstance(scheme, types.Scheme_Https) else "http"
            authority = self._raw.authority() or self.headers.get("host", "localhost")
            self._url = f"{name}://{authority}{self._raw.path_with_query() or '/'}"
        return self._url

    def _target(self):
        return self._raw.path_with_query() or "/"

    def _take(self):
        if self._incoming is None:
            self._incoming = Incoming(self._raw.consume())
            return self._incoming
        return super()._take()

    def _end(self):
        """Gives back what the host lent."""
        if self._incoming is not None:
            self._incoming.close()
        self._raw.__exit__(None, None, None)


class Server:
    """Serves requests, one after another, with one handler."""

    def __init__(self, handler):
        self._handler = handler
        self._background = set()

    def serve(self, raw, out):
        """Serves one request to its end, work after the response included."""
        task = start(self._answer(raw, out))
        if not task.done():
            LOOP.run(task)
        if self._background:
            LOOP.drain(self._background)
        task.result()

    def spawn(self, awaitable):
        """Runs something until the end of the invocation, beside the response and after it."""
        task = start(_logged(awaitable))
        if not task.done():
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        return task

    async def _answer(self, raw, out):
        request = ServedRequest(raw)
        try:
            response = await self._handler(request, os.environ)
            head, body = _head(response)
        except BaseException as error:
            report(error)
            name = type(error).__name__
            failed = types.ErrorCode_InternalError(f"the handler raised {name}")
            ResponseOutparam.set(out, Err(failed))
        else:
            await _write(head, body, out)
        request._end()


async def _logged(awaitable):
    try:
        return await awaitable
    except BaseException as error:
        report(error)


def _head(response):
    """The outgoing response and its body. Raises when it cannot be one."""
    if not isinstance(response, Response):
        kind = type(response).__name__
        raise TypeError(f"`fetch` must return a Response, not {kind}")
    headers, source = response.headers, response._take()
    if response.status in _BODILESS:
        source = b""
    elif isinstance(source, bytes) and "content-length" not in headers:
        headers._pairs.append(("content-length", str(len(source))))
    head = OutgoingResponse(_fields(headers))
    if response.status != 200:
        try:
            head.set_status_code(response.status)
        except Err:
            raise ValueError(f"{response.status} is not an HTTP status") from None
    return head, source


def _fields(headers):
    try:
        return Fields.from_list(headers._to_wire())
    except Err as error:
        reason = type(error.value).__name__.removeprefix("HeaderError_")
        raise ValueError(f"the headers are refused ({reason}): {headers!r}") from None


async def _write(head, source, out):
    body = head.body()
    if isinstance(source, bytes):
        # Written before the head is handed over, a short body leaves together with it.
        stream = body.write()
        room = stream.check_write() if source else 0
        if room >= len(source):
            if source:
                stream.write(source)
            stream.__exit__(None, None, None)
            OutgoingBody.finish(body, None)
            ResponseOutparam.set(out, Ok(head))
            return
        ResponseOutparam.set(out, Ok(head))
    else:
        ResponseOutparam.set(out, Ok(head))
        stream = body.write()
    await send(stream, body, source)
