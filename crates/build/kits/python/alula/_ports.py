"""What a function may ask of its host.

The host's side is put in by `_serve` when the function is built. Outside of Alula, for example in
an author's own unit tests, the calls say that there is no host.
"""


class FetchError(OSError):
    """An outbound request got no response.

    `code` is the reason in WASI's words, `connection-refused` or `http-request-denied` for example.
    """

    def __init__(self, code, detail=""):
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class _Host:
    fetch = None
    spawn = None


async def fetch(url, *, method=None, headers=None, body=None, timeout=None):
    """Sends an HTTP request and gives the `Response` as soon as its head is there.

    `url` is an address or a `Request`. `body` is str, bytes or an iterator of them. Redirects are
    not followed. With `timeout` (seconds, until the head) it raises `TimeoutError`. Raises
    `FetchError` when there is no response; the manifest must grant the address.
    """
    if _Host.fetch is None:
        raise RuntimeError("alula.fetch works only inside a function on Alula")
    return await _Host.fetch(url, method, headers, body, timeout)


def wait_until(awaitable):
    """Lets work go on after the response, up to the limit the host sets. Gives its task.

    An exception in it is logged; it does not touch the response.
    """
    if _Host.spawn is None:
        raise RuntimeError("alula.wait_until works only inside a function on Alula")
    return _Host.spawn(awaitable)
