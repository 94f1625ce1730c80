"""Shows what a Python function can do and what it must not see; the tests ask for one path each."""

import asyncio
import os
import sys
import time

import alula
from alula import Response

# Counts requests of this instance: 1 for ever when each request has its own.
seen = 0


async def fetch(request, env):
    global seen
    seen += 1
    name = request.path.strip("/").replace("-", "_") or "hello"
    route = ROUTES.get(name)
    if route is None:
        return Response("no such path\n", status=404)
    return await route(request, env)


async def hello(request, env):
    return Response("hello from Python\n")


async def count(request, env):
    return Response(f"{seen}\n")


async def inspect(request, env):
    return Response.json(
        {
            "method": request.method,
            "url": request.url,
            "path": request.path,
            "query": request.query,
            "headers": request.headers.items(),
            "env": dict(env),
            "argv": sys.argv,
            "files": os.listdir("/") if os.path.isdir("/") else [],
        }
    )


async def echo(request, env):
    kind = request.headers.get("content-type", "application/octet-stream")
    return Response(request, headers={"content-type": kind})


async def text(request, env):
    return Response((await request.text()).upper())


async def json(request, env):
    return Response.json({"got": await request.json()})


async def size(request, env):
    total = 0
    async for chunk in request:
        total += len(chunk)
    return Response(f"{total}\n")


async def download(request, env):
    left = int(request.query.get("bytes", "10000000"))

    async def pieces(left):
        piece = bytes(65536)
        while left > 0:
            yield piece[:left]
            left -= len(piece)

    return Response(pieces(left))


async def ticks(request, env):
    async def pieces():
        for number in range(int(request.query.get("count", "3"))):
            yield f"data: {number}\n\n"
            await asyncio.sleep(float(request.query.get("seconds", "0.01")))

    return Response(pieces(), headers={"content-type": "text/event-stream"})


async def sleep(request, env):
    began = time.monotonic()
    pause = float(request.query.get("seconds", "0.05"))
    await asyncio.gather(*(asyncio.sleep(pause) for _ in range(10)))
    return Response(f"{time.monotonic() - began:.3f}\n")


async def gather(request, env):
    """Fetches `url` `count` times at once."""
    began = time.monotonic()
    url, number = request.query["url"], int(request.query.get("count", "5"))

    async def one():
        response = await alula.fetch(url)
        return [response.status, len(await response.bytes())]

    results = await asyncio.gather(*(one() for _ in range(number)))
    return Response.json({"seconds": round(time.monotonic() - began, 3), "results": results})


async def proxy(request, env):
    body = request if request.method == "POST" else None
    return await alula.fetch(request.query["url"], method=request.method, body=body)


async def unreachable(request, env):
    try:
        await alula.fetch(request.query["url"], timeout=2)
    except (alula.FetchError, TimeoutError) as error:
        return Response(f"{type(error).__name__}: {error}\n")
    return Response("reached\n")


async def timeout(request, env):
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(60)
    except TimeoutError:
        return Response("timed out\n")
    return Response("slept\n")


async def later(request, env):
    async def work():
        await asyncio.sleep(0.05)
        print("done after the response")

    alula.wait_until(work())
    return Response("answered\n")


async def late_import(request, env):
    import fractions
    from email import policy

    return Response(f"{fractions.Fraction(3, 6)} {policy.__name__} {'ü'.encode('utf-8-sig')!r}\n")


async def missing_import(request, env):
    import nowhere_to_be_found

    return Response(nowhere_to_be_found.__name__)


async def printed(request, env):
    print("to standard output")
    print("to standard error", file=sys.stderr)
    return Response("printed\n")


async def broken(request, env):
    raise ValueError("a secret that no client may see")


async def broken_stream(request, env):
    async def pieces():
        yield "some"
        raise ValueError("the stream broke")

    return Response(pieces())


async def wrong_answer(request, env):
    return "not a response"


async def never(request, env):
    await asyncio.get_running_loop().create_future()


async def loop(request, env):
    while True:
        pass


async def hog(request, env):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


async def cookies(request, env):
    response = Response("", status=204)
    response.headers.append("set-cookie", "a=1")
    response.headers.append("set-cookie", "b=2")
    return response


ROUTES = {
    name: value
    for name, value in list(globals().items())
    if asyncio.iscoroutinefunction(value) and name != "fetch"
}
