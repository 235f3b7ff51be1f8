"""The menus beside the filter line: how old a session may be, and in which order they come."""

from dataclasses import dataclass, replace

from reviewdesk.screens.sessions.filters import AGES, SessionFilter
from reviewdesk.screens.sessions.sorting import SORTS
from traces.search import Term


@dataclass(frozen=True)
class Choice:
    """A line of a menu: its name, and the address's query that it leads to.

    Attributes:
        limit: Of how many of the newest matches an order is; 0 is of all.
    """

    title: str
    query: str
    is_current: bool
    limit: int = 0


def menu_of_ages(chosen: SessionFilter) -> list[Choice]:
    """Return the ages to choose from; each replaces what the filter says of the age."""
    asked = chosen.asked.without("age")
    return [
        Choice(
            title,
            replace(
                chosen, asked=asked.plus(Term("age", "<", (age,))) if age else asked, view=""
            ).query,
            age == chosen.age,
        )
        for age, title in AGES
    ]


def menu_of_sorts(chosen: SessionFilter) -> list[Choice]:
    """Return the orders to choose from; the best match needs words."""
    return [
        Choice(sort.title, chosen.sorted_by(sort.key).query, sort == chosen.sort, sort.limit)
        for sort in SORTS.values()
        if chosen.asked.words or not sort.needs_words
    ]
