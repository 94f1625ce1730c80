"""What a Python function on Alula is written with.

    from alula import Response

    async def fetch(request, env):
        return Response(f"hello from {request.path}\\n")

`fetch` is called once for each HTTP request. `env` is a mapping of the variables that the manifest
sets. Everything of asyncio that needs no threads, processes or sockets works: tasks, `gather`,
`sleep`, `timeout`, locks, queues. Outbound HTTP is `await alula.fetch(url)`.

The module is imported when the function is built and its state is part of what is deployed: do
expensive set-up at module level. An instance starts from that state, so a global variable that a
request changes is only seen by later requests of the same instance (`reuse = "warm"`).
"""

from ._body import BodyUsed
from ._headers import Headers
from ._http import Request, Response
from ._ports import FetchError, fetch, wait_until

__all__ = ["BodyUsed", "FetchError", "Headers", "Request", "Response", "fetch", "wait_until"]

# Seen in tracebacks: the name under which authors know them.
for _each in (BodyUsed, FetchError):
    _each.__module__ = __name__
