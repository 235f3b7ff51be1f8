"""Saved views and queues: saved from the list, renamed, shared and deleted on a page of theirs."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reviewdesk.people.access import DeskRequest, may, project_for, require
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.pages import render_page
from reviewdesk.screens.sessions.filters import read_filter
from reviewdesk.screens.sessions.tabs import filter_of_view
from traces import queues
from traces import saved_views as views
from traces.models import Project, Queue, SavedView
from traces.queues import BadNameError


@require_safe
def collections(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the saved views and the queues, to rename, share and delete."""
    return _page(request, project_for(request, slug))


@require_POST
def save_view(request: DeskRequest, slug: str) -> HttpResponse:
    """Save the list's filter, order and columns under a name."""
    project = project_for(request, slug)
    if is_shared := bool(request.POST.get("shared")):
        require(request, Permission.SHARE_VIEWS)
    chosen = read_filter(request.POST)
    try:
        view = views.save_view(
            project=project,
            owner=None if is_shared else request.user,
            name=request.POST.get("name", ""),
            query=chosen.text,
            columns=chosen.columns,
            sort=chosen.sort.key,
        )
    except BadNameError as error:
        return _page(request, project, problem=str(error), status=422)
    messages.success(request, f"Saved the view {view}.")
    url = reverse("sessions:index", args=[slug])
    return HttpResponseRedirect(f"{url}?{filter_of_view(view).query}", status=303)


@require_POST
def rename_view(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Give a view another name."""
    project = project_for(request, slug)
    view = _view(request, project, pk)
    try:
        views.rename_view(view=view, name=request.POST.get("name", ""))
    except BadNameError as error:
        return _page(request, project, problem=str(error), status=422)
    return _done(request, slug, f"The view is called {view} now.")


@require_POST
def share_view(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Make a view everybody's, or one's own again."""
    project = project_for(request, slug, Permission.SHARE_VIEWS)
    view = _view(request, project, pk)
    try:
        views.share_view(view=view, owner=None if view.owner_id else request.user)
    except BadNameError as error:
        return _page(request, project, problem=str(error), status=422)
    whose = "only you see" if view.owner_id else "everybody in the project sees"
    return _done(request, slug, f"The view {view}: {whose} it now.")


@require_POST
def delete_view(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Delete a view."""
    project = project_for(request, slug)
    view = _view(request, project, pk)
    views.delete_view(view=view)
    return _done(request, slug, f"Deleted the view {view}. Its sessions stay.")


@require_POST
def rename_queue(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Give a queue another name."""
    project = project_for(request, slug, Permission.SHARE_VIEWS)
    queue = _queue(project, pk)
    try:
        queues.rename_queue(queue=queue, name=request.POST.get("name", ""))
    except BadNameError as error:
        return _page(request, project, problem=str(error), status=422)
    return _done(request, slug, f"The queue is called {queue} now.")


@require_POST
def delete_queue(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Delete a queue."""
    project = project_for(request, slug, Permission.SHARE_VIEWS)
    queue = _queue(project, pk)
    queues.delete_queue(queue=queue)
    return _done(request, slug, f"Deleted the queue {queue}. Its sessions and labels stay.")


def _page(
    request: DeskRequest, project: Project, *, problem: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "project": project,
        "views": [(view, filter_of_view(view)) for view in views.views_for(project, request.user)],
        "queues": queues.queues_of(project).select_related("created_by"),
        "problem": problem,
        "may_share": may(request, Permission.SHARE_VIEWS),
        "sharers": roles_with(Permission.SHARE_VIEWS),
    }
    template = "sessions/collections.html"
    return render_page(request, template, context, partial="collections", status=status)


def _view(request: DeskRequest, project: Project, pk: int) -> SavedView:
    """Return a view that this person may change: their own, or with the right a shared one."""
    view = views.views_for(project, request.user).filter(pk=pk).first()
    if view is None:
        raise Http404(f"This project has no saved view {pk}.")
    if view.owner_id is None:
        require(request, Permission.SHARE_VIEWS)
    return view


def _queue(project: Project, pk: int) -> Queue:
    queue = project.queues.filter(pk=pk).first()
    if queue is None:
        raise Http404(f"This project has no queue {pk}.")
    return queue


def _done(request: HttpRequest, slug: str, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(reverse("sessions:collections", args=[slug]), status=303)
