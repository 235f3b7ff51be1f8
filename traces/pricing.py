"""What a model call costs: a project's own prices, and beneath them published list prices.

Prices are US dollars per million tokens. A pattern is a model's whole name in which `*` stands for
anything; case does not matter, and a name such as `openai/gpt-4.1` is also tried without what
stands before its last slash. Of the rows that have begun on the call's day,

1. the project's come before the built-in ones,
2. a pattern with more letters before one with fewer,
3. a later start before an earlier one.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from traces.models import ModelPrice, Project
from traces.price_list import LIST_PRICES

CACHE_SECONDS = 2.0
_MILLION = 1_000_000
_MOST_KNOWN = 2_000


@dataclass(frozen=True)
class Price:
    """A row of the table.

    Attributes:
        pattern: The model's name, `*` for anything.
        input_usd: Per million input tokens that were not read from a cache.
        output_usd: Per million output tokens.
        cached_input_usd: Of a cache; None costs like other input.
        reasoning_usd: Of reasoning; None costs like other output, which is usual.
        starts_on: First day (UTC) it holds; None is always.
        pk: The project's row; None is built in.
    """

    pattern: str
    input_usd: Decimal
    output_usd: Decimal
    cached_input_usd: Decimal | None = None
    reasoning_usd: Decimal | None = None
    starts_on: date | None = None
    pk: int | None = None

    @property
    def num_letters(self) -> int:
        """Return how much of a name the pattern says."""
        return len(self.pattern.replace("*", ""))

    def matches(self, model: str) -> bool:
        """Say whether it is the price of a model of this name."""
        pattern, name = self.pattern.lower(), model.lower()
        return _is_like(name, pattern) or _is_like(name.rpartition("/")[2], pattern)


@dataclass
class PriceTable:
    """The prices that hold for a project. What was looked up is kept."""

    rows: Sequence[Price]
    _known: dict[tuple[str, date], Price | None] = field(default_factory=dict, repr=False)

    def find(self, model: str, at: date) -> Price | None:
        """Return the price of a model on a day, None where nobody knows it."""
        key = (model, at)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = _best(self.rows, model, at) if model else None
        return self._known[key]

    def cost(
        self,
        *,
        model: str,
        input_tokens: int | None,
        output_tokens: int | None,
        cached_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        at: date,
    ) -> Decimal | None:
        """Return US dollars, or None where the price or the tokens are unknown.

        Args:
            model: Its name, as the span has it.
            input_tokens: All of them.
            output_tokens: All of them.
            cached_tokens: Of the input tokens, those read from a cache.
            reasoning_tokens: Of the output tokens, those that were reasoning.
            at: The day of the call (UTC).
        """
        if input_tokens is None or output_tokens is None:
            return None
        price = self.find(model, at)
        if price is None:
            return None
        cached = min(cached_tokens or 0, input_tokens)
        reasoning = min(reasoning_tokens or 0, output_tokens)
        total = (
            (input_tokens - cached) * price.input_usd
            + cached * _or(price.cached_input_usd, price.input_usd)
            + (output_tokens - reasoning) * price.output_usd
            + reasoning * _or(price.reasoning_usd, price.output_usd)
        )
        return total / _MILLION


BUILT_IN = tuple(
    Price(
        pattern=pattern,
        input_usd=Decimal(input_usd),
        output_usd=Decimal(output_usd),
        cached_input_usd=Decimal(cached) if cached else None,
        starts_on=starts_on,
    )
    for patterns, input_usd, cached, output_usd, starts_on in LIST_PRICES
    for pattern in patterns
)
_built_in = PriceTable(BUILT_IN)
_cache: dict[int, tuple[float, PriceTable]] = {}


def price_table(project: Project | int) -> PriceTable:
    """Return the prices that hold for a project (or its id), as of two seconds ago at most.

    One query when it is read.
    """
    project_id = project if isinstance(project, int) else project.pk
    known = _cache.get(project_id)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    table = PriceTable((*own_prices(project_id), *BUILT_IN))
    _cache[project_id] = (time.monotonic() + CACHE_SECONDS, table)
    return table


def forget_prices(project_id: int) -> None:
    """Read the project's prices anew at the next call; other processes do so in two seconds."""
    _cache.pop(project_id, None)


def own_prices(project_id: int) -> list[Price]:
    """Return the project's own rows. One query."""
    return [
        Price(
            pattern=row.pattern,
            input_usd=row.input_usd,
            output_usd=row.output_usd,
            cached_input_usd=row.cached_input_usd,
            reasoning_usd=row.reasoning_usd,
            starts_on=row.starts_on,
            pk=row.pk,
        )
        for row in ModelPrice.objects.filter(project_id=project_id).order_by(
            "pattern", "-starts_on"
        )
    ]


def cost_of(model: str, input_tokens: int | None, output_tokens: int | None) -> Decimal | None:
    """Return US dollars by the built-in prices, or None where the model or tokens are unknown."""
    return _built_in.cost(
        model=model, input_tokens=input_tokens, output_tokens=output_tokens, at=date.max
    )


def _best(rows: Iterable[Price], model: str, at: date) -> Price | None:
    found = [
        row for row in rows if (row.starts_on is None or row.starts_on <= at) and row.matches(model)
    ]
    return max(
        found,
        key=lambda row: (row.pk is not None, row.num_letters, row.starts_on or date.min),
        default=None,
    )


def _or(value: Decimal | None, other: Decimal) -> Decimal:
    return other if value is None else value


def _is_like(name: str, pattern: str) -> bool:
    """Say whether the pattern is the whole name; one pass, whatever the pattern."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    if not name.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - at >= len(last) and name.endswith(last)
