"""A table in pieces of bytes: whole rows are cut off, counted by column, and forgotten."""

import codecs
import csv

from column import Column

# Characters that one row may have; more is not a table.
ROW_LIMIT = 1_000_000


class TableError(ValueError):
    """What was sent is not a table; the message says where."""


class Table:
    """Statistics of a table that arrives in pieces."""

    def __init__(self, delimiter=","):
        self._delimiter = delimiter
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._rest = ""
        self._columns = None
        self._rows = 0

    def feed(self, chunk):
        """Takes the next piece."""
        self._rest += self._decode(chunk)
        end = self._end_of_rows()
        if end > 0:
            rows, self._rest = self._rest[:end], self._rest[end:]
            self._take(rows)
        if len(self._rest) > ROW_LIMIT:
            raise TableError(f"row {self._rows + 1} is longer than {ROW_LIMIT} characters")

    def end(self):
        """Takes the last row, which needs no line break."""
        self._rest += self._decode(b"", True)
        self._take(self._rest)
        if self._columns is None:
            raise TableError("there is no line of column names")

    def summary(self):
        """What is known, ready for JSON."""
        columns = [column.summary() for column in self._columns]
        return {"rows": self._rows, "columns": columns}

    def _end_of_rows(self):
        """Where the last whole row ends: a line break outside of quotes."""
        end = self._rest.rfind("\n") + 1
        quotes = self._rest.count('"', 0, end)
        while end > 0 and quotes % 2:
            before = self._rest.rfind("\n", 0, end - 1) + 1
            quotes -= self._rest.count('"', before, end)
            end = before
        return end

    def _take(self, text):
        rows = csv.reader(text.splitlines(keepends=True), delimiter=self._delimiter)
        rows = [row for row in rows if row]
        if self._columns is None:
            if not rows:
                return
            self._columns = [Column(name) for name in rows.pop(0)]
        width = len(self._columns)
        for number, row in enumerate(rows, self._rows + 1):
            if len(row) != width:
                raise TableError(f"row {number} has {len(row)} fields, the first line has {width}")
        self._rows += len(rows)
        for column, values in zip(self._columns, zip(*rows)):
            column.add(values)
