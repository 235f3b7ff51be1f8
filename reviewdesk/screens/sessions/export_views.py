"""The sessions of the list as a file: those that were ticked, or all that match."""

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.sessions.filters import read_filter
from reviewdesk.screens.sessions.selection import read_selection
from reviewdesk.screens.sessions.sorting import SORTS, in_order
from traces.export import EXPORTS, Sight


@require_http_methods(["GET", "HEAD", "POST"])
def export(request: DeskRequest, slug: str) -> HttpResponse | StreamingHttpResponse:
    """Send the sessions as a file, written while it is sent; an unknown format is CSV."""
    project = project_for(request, slug)
    data = request.POST if request.method == "POST" else request.GET
    form = EXPORTS.get(data.get("format", ""), EXPORTS["csv"])
    if data.getlist("ids") and not data.get("all"):
        sessions = in_order(read_selection(data, project).sessions, SORTS["newest"])
    else:
        found = read_filter(data).apply(project.sessions.all(), project)
        sessions = in_order(found, SORTS["newest"])
    name = form.filename(f"{project.slug}-sessions-{timezone.now():%Y-%m-%d}")
    pieces = form.write(sessions, _sight(request))
    response = StreamingHttpResponse(pieces, content_type=form.content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _sight(request: DeskRequest) -> Sight:
    """Return what this person may read of sessions, as on a session's page."""
    return Sight(
        blind_id=request.user.pk if may(request, Permission.LABEL) else None,
        has_masked=may(request, Permission.SEE_MASKED),
        has_planted=False,
    )
