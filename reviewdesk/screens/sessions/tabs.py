"""The tabs above the session list: filters that everybody has, and the saved views."""

from dataclasses import dataclass, replace

from reviewdesk.people.models import User
from reviewdesk.screens.sessions.columns import known_columns
from reviewdesk.screens.sessions.counts import Count, counts_of
from reviewdesk.screens.sessions.filters import SessionFilter, filter_of
from traces.models import Project, SavedView
from traces.saved_views import views_for

# Each tab is counted, so there cannot be any number of them; the rest is a click away.
MAX_VIEWS = 8
USUAL = (
    ("All", ""),
    ("Not labelled", "outcome:none"),
    ("Failed", "outcome:failed"),
    ("Disagreements", "outcome:disagree"),
    ("Waiting", "status:waiting"),
)


@dataclass(frozen=True)
class Tab:
    """A filter with a name: its address's query, how many sessions it finds.

    Attributes:
        view: The saved view; None for one of the usual filters.
        count: None where it is not counted.
    """

    title: str
    query: str
    count: Count | None
    is_current: bool
    view: SavedView | None = None


def tabs_of(
    project: Project, current: SessionFilter, person: User, *, num_known: int | None = None
) -> tuple[list[Tab], Count]:
    """Return the tabs with their counts, and how many sessions the current filter finds.

    One query for the views, one for the counts of the tabs and one for the current filter, unless
    that is `num_known` already.
    """
    usual = [(title, filter_of(text), None) for title, text in USUAL]
    saved = [(view.name, filter_of_view(view), view) for view in views_for(project, person)]
    asked = {each.text: each for _, each, _ in (*usual, *saved[:MAX_VIEWS])}
    counts = _counts(project, asked)
    if current.text not in counts and num_known is not None:
        counts[current.text] = Count(num_known)
    elif current.text not in counts:
        counts |= _counts(project, {current.text: current})
    is_saved = any(current.view == each.view and current.text == each.text for _, each, _ in saved)
    tabs = [
        Tab(
            title,
            each.query,
            counts.get(each.text),
            current.text == each.text and current.view == each.view and bool(view) == is_saved,
            view,
        )
        for title, each, view in (*usual, *saved)
    ]
    return tabs, counts[current.text]


def _counts(project: Project, asked: dict[str, SessionFilter]) -> dict[str, Count]:
    found = {text: each.apply(project.sessions.all(), project) for text, each in asked.items()}
    return counts_of(found, project_id=project.pk)


def filter_of_view(view: SavedView) -> SessionFilter:
    """Return what a saved view shows."""
    columns = known_columns(view.columns if isinstance(view.columns, list) else [])
    return replace(filter_of(view.query, view.sort, columns), view=str(view.pk))
