"""Header fields: names without case, several values per name, in order."""


class Headers:
    """The header fields of a request or a response.

    Made from a mapping, from pairs, or from other headers. `headers["name"]` gives all values of
    a name joined with a comma and raises `KeyError` when there is none; `get` gives a default
    instead.
    """

    __slots__ = ("_pairs",)

    def __init__(self, init=None):
        if init is None:
            self._pairs = []
        elif isinstance(init, Headers):
            self._pairs = list(init._pairs)
        else:
            pairs = init.items() if hasattr(init, "items") else init
            self._pairs = [(_name(name), _value(value)) for name, value in pairs]

    @classmethod
    def _of_wire(cls, entries):
        """Headers from pairs of str and bytes; bytes that are not UTF-8 survive a round trip."""
        self = cls.__new__(cls)
        self._pairs = [
            (name.lower(), value.decode("utf-8", "surrogateescape")) for name, value in entries
        ]
        return self

    def _to_wire(self):
        return [(name, value.encode("utf-8", "surrogateescape")) for name, value in self._pairs]

    def get(self, name, default=None):
        """All values of a name joined with a comma, or the default."""
        name = name.lower()
        values = [value for own, value in self._pairs if own == name]
        return ", ".join(values) if values else default

    def get_all(self, name):
        """The values of a name, one by one; what `set-cookie` needs."""
        name = name.lower()
        return [value for own, value in self._pairs if own == name]

    def append(self, name, value):
        """Adds a value and keeps those that are there."""
        self._pairs.append((_name(name), _value(value)))

    def setdefault(self, name, value):
        """Sets a value when the name has none; gives what the name has then."""
        if name not in self:
            self.append(name, value)
        return self[name]

    def items(self):
        """All pairs in order; a name with several values comes several times."""
        return list(self._pairs)

    def keys(self):
        """The names, each once."""
        return list(dict.fromkeys(name for name, _ in self._pairs))

    def __getitem__(self, name):
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __setitem__(self, name, value):
        name, value = _name(name), _value(value)
        self._pairs = [pair for pair in self._pairs if pair[0] != name]
        self._pairs.append((name, value))

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        name = name.lower()
        self._pairs = [pair for pair in self._pairs if pair[0] != name]

    def __contains__(self, name):
        name = name.lower()
        return any(own == name for own, _ in self._pairs)

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.keys())

    def __eq__(self, other):
        return isinstance(other, Headers) and self._pairs == other._pairs

    def __repr__(self):
        return f"Headers({self._pairs!r})"


def _name(name):
    if not isinstance(name, str):
        raise TypeError(f"a header's name is a str, not {type(name).__name__}")
    return name.lower()


def _value(value):
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    value = str(value)
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError("a header's value has no line breaks and no NUL")
    return value
