"""What a JSONPath (RFC 9535) is made of. Pure data."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """The member of this name."""

    name: str


@dataclass(frozen=True)
class Wildcard:
    """All children."""


@dataclass(frozen=True)
class Index:
    """The item at this place, from the end where it is negative."""

    number: int


@dataclass(frozen=True)
class Slice:
    """The items of a range."""

    start: int | None
    stop: int | None
    step: int


@dataclass(frozen=True)
class Filter:
    """The children for which an expression holds."""

    expression: "Expression"


Selector = Member | Wildcard | Index | Slice | Filter


@dataclass(frozen=True)
class Segment:
    """Selectors, applied to a value or, where it `is_descendant`, to all that it holds, too."""

    selectors: tuple[Selector, ...]
    is_descendant: bool = False


@dataclass(frozen=True)
class Query:
    """A path from the root, or from the current value of a filter."""

    is_absolute: bool
    segments: tuple[Segment, ...]

    @property
    def is_singular(self) -> bool:
        """Say whether it can name one value at most."""
        return all(
            not segment.is_descendant
            and len(segment.selectors) == 1
            and isinstance(segment.selectors[0], Member | Index)
            for segment in self.segments
        )


@dataclass(frozen=True)
class Literal:
    """A text, a number, true, false or null."""

    value: Any


@dataclass(frozen=True)
class Function:
    """`length`, `count`, `value`, `match` or `search` of something."""

    name: str
    arguments: tuple["Operand", ...]


Operand = Literal | Query | Function


@dataclass(frozen=True)
class Comparison:
    """Two values compared."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Exists:
    """Whether a query names anything."""

    query: Query


@dataclass(frozen=True)
class Not:
    """The opposite."""

    inner: "Expression"


@dataclass(frozen=True)
class And:
    """All of them."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class Or:
    """One of them."""

    parts: tuple["Expression", ...]


Expression = Or | And | Not | Exists | Comparison | Function
