"""The Sessions screen: the list, and what may come next in its filter line."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.sessions.columns import (
    COLUMNS,
    USUAL,
    known_columns,
    remember_columns,
    remembered_columns,
)
from reviewdesk.screens.sessions.completion import complete as complete_term
from reviewdesk.screens.sessions.counts import TooSlowError, time_limit
from reviewdesk.screens.sessions.filters import AGES, SessionFilter, read_filter
from reviewdesk.screens.sessions.listing import Page, page_of
from reviewdesk.screens.sessions.menus import menu_of_ages, menu_of_sorts
from reviewdesk.screens.sessions.selection import MAX_SELECTED
from reviewdesk.screens.sessions.tabs import tabs_of
from traces.export import EXPORTS
from traces.ingest.importers import NAMES as IMPORT_FORMATS
from traces.label_sets import Choice, questions_of
from traces.labels import current_label_set
from traces.models import Project
from traces.refresh import lag
from traces.search import FIELDS

# A page that takes longer is not worth waiting for: the person narrows the filter sooner.
PAGE_MS = 5_000
# Totals follow within a second; a page that shows older ones says so.
LATE_S = 3


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List the project's sessions."""
    project = project_for(request, slug)
    chosen = read_filter(request.GET)
    columns = chosen.columns or remembered_columns(request) or USUAL
    page = _page(request, project, chosen, columns)
    tabs, num_found = tabs_of(
        project, chosen, request.user, num_known=page.num_all if page else None
    )
    context = {
        "project": project,
        "chosen": chosen,
        "columns": [COLUMNS[key] for key in columns],
        "page": page,
        "num_found": num_found,
        "tabs": tabs,
        **_choices(request, project, chosen),
    }
    return render_page(request, "sessions/index.html", context, partial="results")


@require_safe
def complete(request: DeskRequest, slug: str) -> HttpResponse:
    """Suggest what the term being typed may become."""
    project = project_for(request, slug)
    found = complete_term(project, request.GET.get("term", "")[:200], request.GET.get("q", ""))
    context = {"project": project, "completion": found}
    return render_page(request, "sessions/complete.html", context, partial="options")


@require_POST
def choose_columns(request: DeskRequest, slug: str) -> HttpResponse:
    """Remember which columns this person wants to see."""
    project = project_for(request, slug)
    keys = [] if "usual" in request.POST else request.POST.getlist("columns")
    remember_columns(request, known_columns(keys))
    # What is chosen is remembered: in the address the columns would stand for good.
    query = replace(read_filter(request.POST), columns=()).query
    return go_to(request, reverse("sessions:index", args=[project.slug]) + (query and f"?{query}"))


def causes_of(project: Project) -> tuple[Choice, ...]:
    """Return the causes of the project's newest label set. One query."""
    questions = questions_of(current_label_set(project))
    return next((each.choices for each in questions if each.key == "primary_cause"), ())


def _page(
    request: HttpRequest, project: Project, chosen: SessionFilter, columns: tuple[str, ...]
) -> Page | None:
    """Return the page; None where finding it took too long."""
    titles = {cause.key: cause.title for cause in causes_of(project)}
    try:
        with time_limit(PAGE_MS):
            return page_of(
                project,
                chosen,
                before=request.GET.get("before", ""),
                after=request.GET.get("after", ""),
                cause_titles=titles,
                with_queues="queue" in columns,
            )
    except TooSlowError:
        return None


def _choices(request: HttpRequest, project: Project, chosen: SessionFilter) -> dict[str, Any]:
    """Return what the list's menus offer, and how its parts are called."""
    age_titles, late = dict(AGES), lag()
    queues = chosen.asked.values_of("queue")
    is_by_time = not chosen.sort.limit
    titles = ("Newer", "Older") if chosen.sort.key == "newest" else ("Back", "On")
    return {
        "ages": menu_of_ages(chosen),
        "age_title": age_titles.get(chosen.age, f"Last {chosen.age}"),
        "sorts": menu_of_sorts(chosen),
        "back_title": titles[0] if is_by_time else "Back",
        "on_title": titles[1] if is_by_time else "On",
        "all_columns": COLUMNS.values(),
        "fields": FIELDS,
        "formats": [(key, form.title) for key, form in EXPORTS.items()],
        "in_queue": queues[0] if len(queues) == 1 and "*" not in queues[0] else "",
        "link_query": f"?{chosen.query}" if chosen.query else "",
        "max_selected": MAX_SELECTED,
        "page_seconds": PAGE_MS // 1000,
        "otlp_endpoint": f"{request.scheme}://{request.get_host()}",
        "import_formats": IMPORT_FORMATS,
        "num_late": late.num_due if late.seconds > LATE_S else 0,
        "may_start": may(request, Permission.START_RUNS),
        "may_label": may(request, Permission.LABEL),
        "may_share": may(request, Permission.SHARE_VIEWS),
    }
