"""Pages of the judges: the list, and one version with how it was measured."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from agents.judges.choose import labelled_sessions, random_sessions
from agents.models import Judge
from agents.releases.diff import word_diff
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.judges.forms import MOST_AT_ONCE, ArchiveForm, AskForm
from reviewdesk.screens.judges.reading import JudgePage, read_counts, read_judge, read_judges
from reviewdesk.screens.pages import render_fragment, render_page

PAGE_SIZE = 50
USUAL_NUMBER = 100
INDEX, JUDGE = "judges/index.html", "judges/judge.html"
DIMENSIONS = (
    ("agent", "Agent"),
    ("version", "Version"),
    ("source", "Source"),
    ("cause", "Cause"),
)


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List the project's judges with what is known of them."""
    project = project_for(request, slug)
    is_archived = "archived" in request.GET
    rows = read_judges(project, is_archived=is_archived)
    num_archived = Judge.objects.filter(project=project, archived_at__isnull=False).count()
    num_trusted = sum(row.trust.is_trusted for row in rows)
    context = {
        "project": project,
        "rows": rows,
        "num_trusted": num_trusted,
        "num_advisory": len(rows) - num_trusted,
        "is_archived": is_archived,
        "num_archived": num_archived,
        **permissions(request),
    }
    return render_page(request, INDEX, context, partial="results")


@require_safe
def judge_page(
    request: DeskRequest, slug: str, judge: str, number: int | None = None
) -> HttpResponse:
    """Show a version: whether it is believed, its table, slices and disagreements."""
    found = judge_for(request, slug, judge)
    context = page_context(request, found, number)
    return render_page(request, JUDGE, context, partial="judge")


@require_safe
def state(request: DeskRequest, slug: str, judge: str, number: int) -> HttpResponse:
    """Answer how far a version's judgements are, for the page that follows them."""
    found = judge_for(request, slug, judge)
    version = found.versions.filter(number=number).first()
    if version is None:
        raise Http404(f"The judge {found} has no version {number}.")
    version.judge = found
    counts = read_counts(version)
    context = {
        "project": found.project,
        "version": version,
        "counts": counts,
        "is_news": not counts.num_pending,
        **permissions(request),
    }
    return render_fragment(request, JUDGE, context, partial="state")


def judge_for(
    request: HttpRequest, slug: str, judge: str, permission: Permission = Permission.VIEW
) -> Judge:
    """Return the project's judge by its slug. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    found = Judge.objects.select_related("project", "created_by")
    row = found.filter(project=project, slug=judge).first()
    if row is None:
        raise Http404(f"This project has no judge {judge}.")
    return row


def page_for(request: HttpRequest, judge: Judge, number: int | None) -> JudgePage:
    """Return what is shown of a version; raises `Http404` where there is none."""
    page = read_judge(judge, number, request.GET.get("by", ""))
    if page is None:
        raise Http404(f"The judge {judge} has no version {number}.")
    return page


def page_context(
    request: HttpRequest, judge: Judge, number: int | None, **more: Any
) -> dict[str, Any]:
    """Return what the page of a version shows."""
    page = page_for(request, judge, number)
    before = next((each for each in page.versions if each.number < page.version.number), None)
    return {
        "project": judge.project,
        "page": page,
        "differing": Paginator(page.differing, PAGE_SIZE).get_page(request.GET.get("page")),
        "dimensions": DIMENSIONS,
        "before": before,
        "changes": word_diff(before.rubric, page.version.rubric) if before else (),
        "num_labelled": labelled_sessions(page.version).count(),
        "num_random": random_sessions(page.version).order_by()[: MOST_AT_ONCE + 1].count(),
        "most_at_once": MOST_AT_ONCE,
        "usual_number": USUAL_NUMBER,
        "ask_form": AskForm(),
        "archive_form": ArchiveForm(),
        "may_label": may(request, Permission.LABEL),
        **permissions(request),
        **more,
    }


def permissions(request: HttpRequest) -> dict[str, Any]:
    """Return whether the person may write and ask judges, and which roles may."""
    roles = roles_with(Permission.EDIT_JUDGES)
    return {
        "may_edit": may(request, Permission.EDIT_JUDGES),
        "editors": f"{', '.join(roles[:-1])} or {roles[-1]}",
    }
