"""The attributes of one span, sorted by what they say; whatever is not taken is kept."""

from collections.abc import Mapping
from typing import Any

from traces.ingest.dialects.names import FLAT, RANKS

# No dialect nests deeper; a name with more dots keeps the rest as one name.
_MAX_DEPTH = 12
_EMPTY = (None, "")
_FLAT_PREFIXES = tuple(f"{prefix}." for prefix in FLAT)


class Taken:
    """One pass over the attributes; `take` hands a field out, `rest` gives what nobody took."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._fields = fields = dict[str, tuple[int, str, Any]]()
        self._flat: dict[str, dict[str, tuple[str, Any]]] = {}
        self._rest: dict[str, Any] = {}
        for name, value in attributes.items():
            ranked = RANKS.get(name)
            if ranked is not None:
                field, rank = ranked
                if field not in fields and value not in _EMPTY:
                    fields[field] = (rank, name, value)
                else:
                    self._add(field, rank, name, value)
            elif name.startswith(_FLAT_PREFIXES):
                self._add_flat(name, value)
            else:
                self._rest[name] = value

    def has(self, field: str) -> bool:
        """Say whether the field is there and not taken yet."""
        return field in self._fields or field in self._flat

    def has_any(self, fields: frozenset[str]) -> bool:
        """Say whether one of the fields is there and not taken yet; not for flattened ones."""
        return not fields.isdisjoint(self._fields)

    def peek(self, field: str) -> Any:
        """Return a field's value without taking it, None where it is not there."""
        found = self._fields.get(field)
        return None if found is None else found[2]

    def take(self, field: str) -> Any:
        """Return a field's value and leave it out of the rest; None where it is not there."""
        found = self._fields.pop(field, None)
        return None if found is None else found[2]

    def take_list(self, field: str) -> list[Any]:
        """Return a flattened list, nested again, and leave it out of the rest."""
        members = self._flat.pop(field, None)
        return _nested(members) if members else []

    def take_prefixed(self, prefixes: tuple[str, ...]) -> dict[str, Any]:
        """Take what is left under prefixes, by the names behind them."""
        found: dict[str, Any] = {}
        if not self._rest:
            return found
        for name in [name for name in self._rest if name.startswith(prefixes)]:
            prefix = next(each for each in prefixes if name.startswith(each))
            found[name[len(prefix) :]] = self._rest.pop(name)
        return found

    def pop(self, name: str) -> Any:
        """Take an attribute that belongs to no field."""
        return self._rest.pop(name, None)

    def get(self, name: str) -> Any:
        """Return an attribute that belongs to no field, without taking it."""
        return self._rest.get(name)

    def rest(self) -> dict[str, Any]:
        """Return the attributes that were not taken, under their own names."""
        rest = self._rest.copy()
        for _, name, value in self._fields.values():
            rest[name] = value
        for members in self._flat.values():
            rest.update(members.values())
        return rest

    def _add(self, field: str, rank: int, name: str, value: Any) -> None:
        known = self._fields.get(field)
        if value in (None, "") and rank:
            return
        if known is None:
            self._fields[field] = (rank, name, value)
        elif rank < known[0] and value not in (None, ""):
            self._fields[field] = (rank, name, value)
            if known[2] != value:
                self._rest[known[1]] = known[2]
        elif known[2] != value:
            self._rest[name] = value

    def _add_flat(self, name: str, value: Any) -> None:
        prefix = next(each for each in _FLAT_PREFIXES if name.startswith(each))
        path = name[len(prefix) :]
        if not path[:1].isdigit():
            self._rest[name] = value
            return
        self._flat.setdefault(FLAT[prefix[:-1]], {})[path] = (name, value)


def _nested(members: Mapping[str, tuple[str, Any]]) -> list[Any]:
    """Return the list that flattened names describe; objects with number names become lists."""
    root: dict[str, Any] = {}
    for path, (_, value) in members.items():
        at = root
        *parts, last = path.split(".", _MAX_DEPTH)
        for part in parts:
            below = at.setdefault(part, {})
            if not isinstance(below, dict):
                break
            at = below
        else:
            at[last] = value
    whole = _lists(root)
    return whole if isinstance(whole, list) else []


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isascii() and key.isdecimal() and len(key) < 6 for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(item) for key, item in value.items()}
