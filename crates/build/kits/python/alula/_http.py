"""`Request` and `Response`, as authors see them. Nothing here knows of WASI."""

import json as _json
from urllib.parse import parse_qsl

from ._body import Body
from ._headers import Headers


class Request(Body):
    """An HTTP request.

    `method` in capitals, `url` whole, `headers`, and a body: `await request.text()`, `.bytes()`,
    `.json()`, or `async for chunk in request`.
    """

    __slots__ = ("_method", "_url", "_headers", "_incoming")

    def __init__(self, url, method="GET", headers=None, body=None):
        self._incoming = None
        self._url = str(url)
        self._method = method.upper()
        self._headers = Headers(headers)
        self._set_body(body)

    @property
    def method(self):
        """The method, in capitals: `GET`, `POST` …"""
        return self._method

    @property
    def headers(self):
        """The header fields."""
        return self._headers

    @property
    def url(self):
        """The whole address, as far as the client gave it."""
        return self._url

    @property
    def path(self):
        """The path without the query, undecoded; `/` at least."""
        return self._target().partition("?")[0] or "/"

    @property
    def query_string(self):
        """What stands behind the `?`, undecoded; empty when there is none."""
        return self._target().partition("?")[2]

    @property
    def query(self):
        """The query as a dict of decoded strings; of a repeated name the last."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def _target(self):
        rest = self._url.partition("#")[0].partition("://")[2]
        slash = rest.find("/")
        mark = rest.find("?")
        if slash < 0 or 0 <= mark < slash:
            return "/" + rest[mark:] if mark >= 0 else "/"
        return rest[slash:]

    async def json(self):
        """The whole body, parsed."""
        return await self._read_json()

    def __repr__(self):
        return f"<Request {self.method} {self.url}>"


class _Json:
    """`Response.json(data)` makes a response; `await response.json()` reads one."""

    def __get__(self, instance, owner):
        return owner._of_json if instance is None else instance._read_json


class Response(Body):
    """An HTTP response: `Response(body, status, headers)`, or what `alula.fetch` gave.

    The body is str, bytes, or an iterator of them; an async iterator is streamed as it yields.
    A str body is `text/plain; charset=utf-8` unless `headers` say otherwise.
    """

    __slots__ = ("status", "headers")

    def __init__(self, body=None, status=200, headers=None):
        self.status = status
        self.headers = headers = Headers(headers)
        if isinstance(body, str):
            self._source = body.encode()
            if "content-type" not in headers:
                headers._pairs.append(("content-type", "text/plain; charset=utf-8"))
        else:
            self._set_body(body)

    json = _Json()

    @classmethod
    def _of_json(cls, data, status=200, headers=None):
        """A response of JSON."""
        self = cls(_json.dumps(data, ensure_ascii=False).encode(), status, headers)
        if "content-type" not in self.headers:
            self.headers.append("content-type", "application/json")
        return self

    @classmethod
    def html(cls, text, status=200, headers=None):
        """A response of HTML."""
        self = cls(text.encode(), status, headers)
        if "content-type" not in self.headers:
            self.headers.append("content-type", "text/html; charset=utf-8")
        return self

    @classmethod
    def redirect(cls, url, status=302):
        """A response that sends the client to another address."""
        return cls(None, status, [("location", url)])

    @property
    def ok(self):
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    def __repr__(self):
        return f"<Response {self.status}>"
