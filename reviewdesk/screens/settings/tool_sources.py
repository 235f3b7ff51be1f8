"""Settings > Tools: sources added, read again, imported, changed, turned off."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents.errors import ToolSourceError
from agents.models import ToolSource
from agents.tools import connecting, imports
from agents.tools.openapi_document import title_of
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.tool_forms import (
    DocumentForm,
    ImportForm,
    PlaceForm,
    ReasonForm,
    SourceForm,
)
from reviewdesk.screens.settings.tool_pages import source_context, source_for, why_no_command
from reviewdesk.screens.settings.views import settings_context
from traces.models import Project

ADD, SOURCE = "settings/tools_add.html", "settings/tools_source.html"
_KINDS = {
    "openapi": ToolSource.Kind.OPENAPI,
    "mcp-http": ToolSource.Kind.MCP_HTTP,
    "mcp-stdio": ToolSource.Kind.MCP_STDIO,
}


@require_http_methods(["GET", "HEAD", "POST"])
def add_source(request: DeskRequest, slug: str, kind: str) -> HttpResponse:
    """Ask for a new source; on POST add it and read what it offers."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    of = _kind(kind)
    is_post = request.method == "POST"
    form = SourceForm(request.POST if is_post else None, kind=of)
    document = DocumentForm(request.POST, request.FILES) if is_post else DocumentForm()
    if is_post:
        _check_command(request, of)
    if not is_post or not (form.is_valid() and document.is_valid()):
        context = _add_context(request, project, of, form, document)
        status = 422 if is_post else 200
        return render_page(request, ADD, context, partial="settings", status=status)
    try:
        source = connecting.add_source(
            project=project,
            name=form.cleaned_data["name"],
            kind=of,
            by=request.user,
            **form.place(),
        )
    except ToolSourceError as error:
        form.add_error(None, str(error))
        context = _add_context(request, project, of, form, document)
        return render_page(request, ADD, context, partial="settings", status=422)
    return _read(request, project, source, document)


@require_safe
def source(request: DeskRequest, slug: str, source: str) -> HttpResponse:
    """Show a source: what it is, and what an import would change."""
    project = project_for(request, slug)
    found = source_for(project, source)
    return render_page(request, SOURCE, source_context(request, project, found), partial="settings")


@require_POST
def read_source(request: DeskRequest, slug: str, source: str) -> HttpResponse:
    """Read the source again; the page then shows what an import would change."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    found = source_for(project, source)
    form = DocumentForm(request.POST, request.FILES)
    if not form.is_valid():
        context = source_context(request, project, found, document_form=form)
        return render_page(request, SOURCE, context, partial="settings", status=422)
    return _read(request, project, found, form)


@require_POST
def import_tools(request: DeskRequest, slug: str, source: str) -> HttpResponse:
    """Import the tools as they were shown."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    found = source_for(project, source)
    try:
        form = ImportForm(request.POST, plan=imports.plan_import(found))
        if form.is_valid():
            num = imports.apply_import(
                source=found,
                digest=form.cleaned_data["digest"],
                choices=form.choices(),
                reason=form.cleaned_data["reason"],
                by=request.user,
            )
            messages.success(request, f"{num} tool{'' if num == 1 else 's'} changed.")
            return go_to(request, _address(slug, found))
    except ToolSourceError as error:
        return _again(request, project, found, status=409, problem=str(error))
    return _again(request, project, found, status=422, import_form=form)


@require_POST
def change_source(request: DeskRequest, slug: str, source: str) -> HttpResponse:
    """Change where a source is, what it may reach, and its secrets."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    found = source_for(project, source)
    kind = ToolSource.Kind(found.kind)
    _check_command(request, kind)
    form = PlaceForm(request.POST, kind=kind, prefix="place")
    if form.is_valid():
        try:
            connecting.change_source(source=found, by=request.user, **form.place())
        except ToolSourceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{found.name} is changed.")
            return go_to(request, _address(slug, found))
    return _again(request, project, found, status=422, place_form=form)


@require_POST
def turn_source(request: DeskRequest, slug: str, source: str) -> HttpResponse:
    """Turn a source off, or on again."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    found = source_for(project, source)
    is_on = request.POST.get("is_on") == "1"
    form = ReasonForm(request.POST, prefix="turn")
    if form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            connecting.turn_source(source=found, is_on=is_on, reason=reason, by=request.user)
        except ToolSourceError as error:
            form.add_error("reason", str(error))
        else:
            state = "on" if is_on else "off: none of its tools is offered or called"
            messages.success(request, f"{found.name} is {state}.")
            return go_to(request, _address(slug, found))
    return _again(request, project, found, status=422, turn_form=form)


def _read(
    request: DeskRequest, project: Project, source: ToolSource, form: DocumentForm
) -> HttpResponse:
    try:
        document = connecting.read_source(
            source=source,
            data=form.data_given(),
            url=form.cleaned_data["document_url"],
        )
        connecting.store_document(source=source, document=document)
    except ToolSourceError as error:
        connecting.note_error(source=source, error=error)
        messages.error(request, str(error))
    else:
        title = title_of(document)
        messages.success(request, f"{title or source.name} was read. Look at what it would change.")
    return go_to(request, _address(project.slug, source))


def _again(
    request: DeskRequest, project: Project, source: ToolSource, *, status: int, **extra: Any
) -> HttpResponse:
    context = source_context(request, project, source, **extra)
    return render_page(request, SOURCE, context, partial="settings", status=status)


def _add_context(
    request: DeskRequest,
    project: Project,
    kind: ToolSource.Kind,
    form: SourceForm,
    document: DocumentForm,
) -> dict[str, Any]:
    return {
        "form": form,
        "document_form": document,
        "kind": kind,
        "kinds": [(key, of.label, of is kind) for key, of in _KINDS.items()],
        "is_openapi": kind is ToolSource.Kind.OPENAPI,
        "why_no_command": why_no_command(request, kind),
        **settings_context(request, project, "tools"),
    }


def _check_command(request: DeskRequest, kind: ToolSource.Kind) -> None:
    if why := why_no_command(request, kind):
        raise PermissionDenied(why)


def _kind(key: str) -> ToolSource.Kind:
    if key not in _KINDS:
        raise Http404(f"There is no kind of source {key}.")
    return _KINDS[key]


def _address(slug: str, source: ToolSource) -> str:
    return reverse("settings:tool_source", args=[slug, source.slug])
