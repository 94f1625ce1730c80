from alula import Response


async def fetch(request, env):
    return Response("Hello from Python\n")
