"""One column: its count, range, mean, deviation and number of different values, in fixed memory."""

import heapq
import math
from hashlib import blake2b

# Different values are counted exactly up to this many; beyond, they are estimated within about 3 %.
SKETCH = 4096
HASHES = 1 << 32


def spread(value):
    """A number below HASHES that tells nothing of the value; `hash` of short texts lies too close."""
    return int.from_bytes(blake2b(value.encode(), digest_size=4).digest())


class Column:
    """Statistics of a column to which blocks of values are added."""

    def __init__(self, name):
        self.name = name
        self._count = 0
        self._missing = 0
        # The smallest hashes seen. How closely they lie tells how many there are.
        self._smallest = set()
        self._numeric = True
        self._mean = 0.0
        self._squares = 0.0
        self._low = math.inf
        self._high = -math.inf

    def add(self, values):
        """Adds a block of values."""
        present = [value for value in values if value.strip()]
        self._missing += len(values) - len(present)
        if not present:
            return
        self._smallest.update(map(spread, set(present)))
        if len(self._smallest) > SKETCH:
            self._smallest = set(heapq.nsmallest(SKETCH, self._smallest))
        if self._numeric:
            try:
                numbers = list(map(float, present))
            except ValueError:
                self._numeric = False
            else:
                self._merge(numbers)
        self._count += len(present)

    def _merge(self, numbers):
        """Joins the block's mean and sum of squared differences with those so far (Chan et al.)."""
        size, before = len(numbers), self._count
        mean = math.fsum(numbers) / size
        squares = math.fsum((number - mean) ** 2 for number in numbers)
        apart, both = mean - self._mean, before + size
        self._mean += apart * size / both
        self._squares += squares + apart * apart * before * size / both
        self._low = min(self._low, min(numbers))
        self._high = max(self._high, max(numbers))

    def summary(self):
        """What is known, ready for JSON."""
        found = {
            "name": self.name,
            "count": self._count,
            "missing": self._missing,
            "distinct": self._distinct(),
        }
        numbers = (self._low, self._high, self._mean)
        if self._numeric and self._count and all(map(math.isfinite, numbers)):
            deviation = math.sqrt(self._squares / (self._count - 1)) if self._count > 1 else 0.0
            found |= {"min": self._low, "max": self._high, "mean": self._mean, "stddev": deviation}
        return found

    def _distinct(self):
        if len(self._smallest) < SKETCH:
            return len(self._smallest)
        return round((SKETCH - 1) * HASHES / max(self._smallest))
