"""The Sessions screen: the list."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import render_page
from reviewdesk.screens.sessions.filters import AGE_CHOICES, FilterForm, read_filter
from reviewdesk.screens.sessions.listing import count_of, options_of, page_of, tabs_of
from traces.label_sets import Choice, questions_of
from traces.labels import current_label_set
from traces.models import Project


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List the project's sessions, newest first."""
    project = project_for(request, slug)
    chosen = read_filter(request.GET)
    found = chosen.apply(project.sessions.all())
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    causes = causes_of(project)
    context = {
        "project": project,
        "chosen": chosen,
        "form": FilterForm(request.GET),
        "ages": AGE_CHOICES,
        "page": page_of(
            found,
            before=before,
            after=after,
            cause_titles={cause.key: cause.title for cause in causes},
        ),
        "num_found": count_of(found),
        "tabs": tabs_of(project, chosen),
        "options": options_of(project),
        "causes": causes,
        "may_start": may(request, Permission.START_RUNS),
    }
    return render_page(request, "sessions/index.html", context, partial="results")


def causes_of(project: Project) -> tuple[Choice, ...]:
    """Return the causes of the project's newest label set. One query."""
    questions = questions_of(current_label_set(project))
    return next((each.choices for each in questions if each.key == "primary_cause"), ())
