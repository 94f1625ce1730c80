"""A table of comma-separated values in, statistics of its columns out.

The table is read as it arrives and no row is kept, so its size is limited by patience only.
"""

from alula import Response

from table import Table, TableError

USAGE = """\
Send a table with one line of column names:

    curl --data-binary @people.csv http://127.0.0.1:8080/stats

Another separator: /stats?delimiter=%3B
"""


async def fetch(request, env):
    if request.method != "POST":
        return Response(USAGE)
    delimiter = request.query.get("delimiter", ",")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        return Response.json({"error": "`delimiter` is one character"}, status=400)
    table = Table(delimiter)
    try:
        async for chunk in request:
            table.feed(chunk)
        table.end()
    except TableError as error:
        return Response.json({"error": str(error)}, status=400)
    return Response.json(table.summary())
