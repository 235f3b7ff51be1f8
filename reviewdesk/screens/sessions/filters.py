"""Which sessions are asked for: the filter in the address, and what was linked to before it."""

from dataclasses import dataclass, field, replace

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from reviewdesk.screens.sessions.columns import columns_in
from reviewdesk.screens.sessions.sorting import SORTS, Sort
from traces import search
from traces.models import Project, Session
from traces.search import Query, Term, parse
from traces.search.matching import ENDED

__all__ = ["AGES", "ENDED", "SessionFilter", "filter_of", "read_filter"]

# Names of the single parameters that addresses had before the language, and their fields.
_SINGLE = {
    "outcome": "outcome",
    "cause": "cause",
    "status": "status",
    "agent": "agent",
    "version": "version",
    "tool": "tool",
    "since": "since",
    "until": "until",
    "queue": "queue",
    "customer": "customer",
}
_FLAGS = {"has_errors": "has:errors", "errors": "has:errors", "golden": "golden:too"}
AGES = (
    ("", "Any time"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("90d", "Last 90 days"),
)
_OLD_AGES = {"day": "24h", "week": "7d", "month": "30d"}


@dataclass(frozen=True)
class Token:
    """A finished term of the filter, and the address without it."""

    name: str
    text: str
    without: str


@dataclass(frozen=True)
class SessionFilter:
    """What the address asks for.

    Attributes:
        asked: The filter.
        sort: In which order.
        view: Id of the saved view that it comes from, or "".
        columns: Those that the address names; empty where it names none.
    """

    asked: Query = field(default_factory=Query)
    sort: Sort = SORTS["newest"]
    view: str = ""
    columns: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the filter as it is written."""
        return str(self.asked)

    @property
    def words(self) -> str:
        """Return the searched words, to mark them where they stand."""
        return " ".join(word.text for word in self.asked.words if not word.is_negated)

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence per term that is left out."""
        return tuple(map(str, self.asked.problems))

    @property
    def is_set(self) -> bool:
        """Say whether anything is filtered."""
        return self.asked.is_set

    @property
    def age(self) -> str:
        """Return the age that is asked for, such as 7d."""
        return next(iter(self.asked.values_of("age")), "")

    @property
    def query(self) -> str:
        """Return the address's query string, without the question mark."""
        data = QueryDict(mutable=True)
        if self.text:
            data["q"] = self.text
        if self.sort.key != "newest":
            data["sort"] = self.sort.key
        if self.view:
            data["view"] = self.view
        if self.columns:
            data["columns"] = ",".join(self.columns)
        return data.urlencode()

    def tokens(self) -> list[Token]:
        """Return the terms, each with the address without it."""
        return [
            Token(
                term.name,
                term.value,
                replace(self, asked=self.asked.without_term(term), view="").query,
            )
            for term in self.asked.terms
        ]

    def sorted_by(self, key: str) -> "SessionFilter":
        """Return the same in another order."""
        return replace(self, sort=SORTS[key])

    def apply(self, sessions: QuerySet[Session], project: Project) -> QuerySet[Session]:
        """Return the sessions that are asked for, in no order."""
        return search.apply(self.asked, sessions, project, timezone.now())


def filter_of(text: str, sort: str = "", columns: tuple[str, ...] = ()) -> SessionFilter:
    """Return the filter that `text` writes."""
    asked = parse(text)
    return SessionFilter(asked, _sort(sort, asked), columns=columns)


def read_filter(data: QueryDict) -> SessionFilter:
    """Return what an address asks for; what cannot be used is named and left out."""
    parts = [data.get("q", "")]
    for name, term in _SINGLE.items():
        if value := data.get(name, "").strip():
            parts.append(f'{term}:"{value}"'.replace('""', '"'))
    parts += [term for name, term in _FLAGS.items() if data.get(name)]
    asked = parse(" ".join(part for part in parts if part))
    if "age" in data:
        given = data.get("age", "")
        age = _OLD_AGES.get(given, given)
        asked = asked.without("age")
        found = parse(f"age<{age}") if age else Query()
        asked = replace(
            asked, terms=(*asked.terms, *found.terms), problems=asked.problems + found.problems
        )
    view = data.get("view", "")
    return SessionFilter(
        asked,
        _sort(data.get("sort", ""), asked),
        view=view if view.isdecimal() and len(view) < 10 else "",
        columns=columns_in(data.get("columns", "")),
    )


def term_text(field: str, value: str) -> str:
    """Return a term for a link: `agent:"My agent"`."""
    return str(Term(field, ":", (value,)))


def _sort(key: str, asked: Query) -> Sort:
    sort = SORTS.get(key, SORTS["newest"])
    return SORTS["newest"] if sort.needs_words and not asked.words else sort
