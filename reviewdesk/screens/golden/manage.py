"""A golden test's versions, setting it aside for a while, and taking it up again."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import GoldenError
from agents.golden.edit import unarchive_test
from agents.golden.suites import lift_quarantine, quarantine_test
from agents.models import GoldenTest
from reviewdesk.people.access import DeskRequest
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.forms import QuarantineForm, ReasonForm
from reviewdesk.screens.golden.history import compare_versions, read_history
from reviewdesk.screens.golden.views import golden_test_for, panel_context, permissions
from reviewdesk.screens.pages import go_to, render_page


@require_safe
def history(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a test's versions, and what differs between two of them."""
    test = golden_test_for(request, slug, pk)
    lines = read_history(test)
    newest = lines[0].version.number if lines else 1
    before = _number(request.GET.get("before", ""), newest - 1)
    after = _number(request.GET.get("after", ""), newest)
    context = {
        "test": test,
        "lines": lines,
        "compared": compare_versions(test, before, after),
        **permissions(request),
    }
    return render_page(request, "golden/history.html", context, partial="history")


@require_POST
def quarantine(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Set a test aside until a day: it is run and shown, and does not count."""
    test = golden_test_for(request, slug, pk, Permission.PROMOTE)
    form = QuarantineForm(request.POST)
    if not form.is_valid():
        return _panel(request, test, 422, quarantine_form=form)
    try:
        quarantine_test(test=test, by=request.user, **form.cleaned_data)
    except GoldenError as error:
        form.add_error(None, str(error))
        return _panel(request, test, 422, quarantine_form=form)
    until = form.cleaned_data["until"]
    messages.success(request, f"Set aside until {until:%d %b %Y}: {test.title}.")
    return go_to(request, reverse("golden:test", args=[slug, pk]))


@require_POST
def end_quarantine(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Let a test count again before its day."""
    test = golden_test_for(request, slug, pk, Permission.PROMOTE)
    try:
        lift_quarantine(test=test, by=request.user)
    except GoldenError as error:
        return _panel(request, test, 409, standing_problem=str(error))
    messages.success(request, f"It counts again: {test.title}.")
    return go_to(request, reverse("golden:test", args=[slug, pk]))


@require_POST
def unarchive(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Let an archived test take part again."""
    test = golden_test_for(request, slug, pk, Permission.PROMOTE)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        problem = "Say why the test is taken up again."
        return _panel(request, test, 422, standing_problem=problem)
    try:
        unarchive_test(test=test, reason=form.cleaned_data["reason"], by=request.user)
    except GoldenError as error:
        return _panel(request, test, 409, standing_problem=str(error))
    messages.success(request, f"Taken up again: {test.title}. Evidence taken without it is void.")
    return go_to(request, reverse("golden:test", args=[slug, pk]))


def _panel(request: DeskRequest, test: GoldenTest, status: int, **more: object) -> HttpResponse:
    context = panel_context(request, test, **more)
    return render_page(request, "golden/index.html", context, partial="panel", status=status)


def _number(text: str, usual: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else usual
