"""The sessions of the list as a file: those that were ticked, or all that match."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from reviewdesk.people.access import project_for
from reviewdesk.screens.sessions.filters import read_filter
from reviewdesk.screens.sessions.selection import read_selection
from reviewdesk.screens.sessions.sorting import SORTS, in_order
from traces.export import EXPORTS


@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest, slug: str) -> HttpResponse | StreamingHttpResponse:
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
    response = StreamingHttpResponse(form.write(sessions), content_type=form.content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
