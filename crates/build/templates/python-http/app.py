"""Called for each HTTP request."""

from alula import Response


async def fetch(request, env):
    greeting = env.get("GREETING", "Hello")
    if request.method == "POST":
        name = (await request.text()).strip()
    else:
        name = request.query.get("name", "world")
    return Response.json({"message": f"{greeting}, {name}!", "path": request.path})
