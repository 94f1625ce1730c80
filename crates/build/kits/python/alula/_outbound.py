"""Outbound HTTP over `wasi:http/outgoing-handler`."""

import asyncio
from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports import outgoing_handler, types
from wit_world.imports.types import Fields, OutgoingBody, OutgoingRequest

from ._headers import Headers
from ._http import Request, Response
from ._loop import LOOP, start
from ._ports import FetchError
from ._stream import Incoming, send

_METHODS = {
    "GET": types.Method_Get,
    "HEAD": types.Method_Head,
    "POST": types.Method_Post,
    "PUT": types.Method_Put,
    "DELETE": types.Method_Delete,
    "CONNECT": types.Method_Connect,
    "OPTIONS": types.Method_Options,
    "TRACE": types.Method_Trace,
    "PATCH": types.Method_Patch,
}


async def fetch(url, method, headers, body, timeout):
    """See `alula.fetch`."""
    given = url if isinstance(url, Request) else None
    if given is not None:
        url, method = given.url, method or given.method
        headers = given.headers if headers is None else headers
        body = given._take() if body is None else body
    request = Request(url, method or "GET", headers, body)
    if timeout is None:
        return await _exchange(request)
    async with asyncio.timeout(timeout):
        return await _exchange(request)


async def _exchange(request):
    source = request._take()
    outgoing = _outgoing(request, source)
    sender = None
    body = outgoing.body() if source else None
    try:
        future = outgoing_handler.handle(outgoing, None)
    except Err as error:
        raise _failed(error.value) from None
    if body is not None:
        sender = start(send(body.write(), body, source))
    try:
        incoming = await _head(future)
    except BaseException:
        if sender is not None:
            sender.cancel()
        raise
    fields = incoming.headers()
    headers = Headers._of_wire(fields.entries())
    fields.__exit__(None, None, None)
    response = Response(None, incoming.status(), headers)
    response._source = Incoming(incoming.consume())
    incoming.__exit__(None, None, None)
    return response


async def _head(future):
    try:
        while True:
            found = future.get()
            if found is not None:
                break
            await LOOP.ready(future.subscribe())
    finally:
        future.__exit__(None, None, None)
    while not isinstance(found, types.IncomingResponse):
        if isinstance(found, Err):
            raise _failed(found.value)
        found = found.value
    return found


def _outgoing(request, source):
    parts = urlsplit(request.url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"`{request.url}` is not a whole http or https address")
    headers = request.headers
    # The host writes the `host` field itself, from the address.
    if "host" in headers:
        headers = Headers(headers)
        del headers["host"]
    if isinstance(source, bytes) and source and "content-length" not in headers:
        headers["content-length"] = len(source)
    try:
        outgoing = OutgoingRequest(Fields.from_list(headers._to_wire()))
    except Err:
        raise ValueError(f"the headers are refused: {headers!r}") from None
    known = _METHODS.get(request.method)
    outgoing.set_method(known() if known else types.Method_Other(request.method))
    secure = parts.scheme == "https"
    outgoing.set_scheme(types.Scheme_Https() if secure else types.Scheme_Http())
    outgoing.set_authority(parts.netloc.rpartition("@")[2])
    query = f"?{parts.query}" if parts.query else ""
    outgoing.set_path_with_query((parts.path or "/") + query)
    return outgoing


def _failed(code):
    name = type(code).__name__.removeprefix("ErrorCode_")
    words = "".join(f"-{c.lower()}" if c.isupper() else c for c in name).strip("-")
    detail = getattr(code, "value", None)
    return FetchError(words, "" if detail is None else str(detail))
