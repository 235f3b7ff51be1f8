"""The columns of the session list: those there are, and those that somebody chose."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        css: Class of its cells.
        is_number: Whether it is aligned to the right.
    """

    key: str
    title: str
    css: str = ""
    is_number: bool = False


COLUMNS = {
    column.key: column
    for column in (
        Column("started", "Started", "muted s-started"),
        Column("outcome", "Outcome", "s-outcome"),
        Column("cause", "Cause", "s-cause"),
        Column("words", "First words", "wide s-words"),
        Column("customer", "Customer", "s-customer"),
        Column("agent", "Agent", "muted s-name"),
        Column("version", "Version", "muted s-version"),
        Column("model", "Model", "muted s-name"),
        Column("status", "Status", "s-status"),
        Column("steps", "Steps", "s-steps", True),
        Column("errors", "Failed steps", "s-errors", True),
        Column("tokens", "Tokens", "s-tokens", True),
        Column("took", "Took", "s-took", True),
        Column("cost", "Cost", "s-cost", True),
        Column("source", "Source", "muted s-name"),
        Column("by", "Labelled by", "muted s-by"),
        Column("queue", "Queue", "muted s-name"),
    )
}
# The words are the link to the session: a list without them could not be opened.
ALWAYS = "words"
USUAL = (
    "started",
    "outcome",
    "cause",
    "words",
    "customer",
    "version",
    "steps",
    "took",
    "cost",
    "by",
)
_REMEMBERED = "session_columns"


def columns_in(text: str) -> tuple[str, ...]:
    """Return the columns that `text` names, separated by commas; unknown ones are left out."""
    return known_columns(text.split(","))


def known_columns(keys: Sequence[object]) -> tuple[str, ...]:
    """Return those of the keys that are columns, in the table's order, with the words."""
    known = {key for key in keys if isinstance(key, str) and key in COLUMNS}
    return tuple(key for key in COLUMNS if key in known | {ALWAYS}) if known else ()


def remembered_columns(request: HttpRequest) -> tuple[str, ...]:
    """Return the columns that this person chose last; empty where they chose none."""
    kept = request.session.get(_REMEMBERED, [])
    return known_columns(kept if isinstance(kept, list) else [])


def remember_columns(request: HttpRequest, keys: Sequence[str]) -> None:
    """Keep the chosen columns for as long as the person is signed in; none are the usual ones."""
    request.session[_REMEMBERED] = list(known_columns(keys))
