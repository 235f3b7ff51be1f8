"""Settings > Schedules: runs that start by the clock, with their times and last runs."""

from dataclasses import dataclass
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents import schedules as domain
from agents.errors import AgentsError, ScheduleError
from agents.models import Run, Schedule
from agents.schedule_times import Times, time_zones, times_of, upcoming
from agents.tools.autonomy import database_now
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.pages import go_to, render_fragment, render_page, wants_fragment
from reviewdesk.screens.settings.schedule_forms import ScheduleForm, values_of
from reviewdesk.screens.settings.views import settings_context
from traces.models import Project

LIST, EDITOR = "settings/schedules.html", "settings/schedule.html"
NUM_SHOWN = 5
_NUM_RUNS = 20


@dataclass(frozen=True)
class Row:
    """A schedule as the list shows it; `words` say when it is due, or why that is not known."""

    schedule: Schedule
    words: str


@dataclass(frozen=True)
class Coming:
    """A time to come, as people read it: in the schedule's zone, and in UTC."""

    local: str
    utc: str


@require_safe
def schedules(request: DeskRequest, slug: str) -> HttpResponse:
    """List the schedules, those that are on first."""
    project = project_for(request, slug)
    kept = Schedule.objects.filter(project=project, archived_at=None)
    found = kept.select_related("agent", "version")
    rows = [Row(each, _words(each)) for each in found.order_by("-is_on", "name")[:500]]
    context = {"rows": rows, **_context(request, project)}
    return render_page(request, LIST, context, partial="settings")


@require_safe
def new_schedule(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the form of a new schedule."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    return _editor(request, project, ScheduleForm(project=project))


@require_safe
def schedule(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a schedule with its coming times and last runs."""
    project = project_for(request, slug)
    found = _schedule(project, pk)
    form = ScheduleForm(project=project, initial=values_of(found))
    return _editor(request, project, form, found)


@require_POST
def preview_schedule(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the next times of what stands in the form; saves nothing."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    form = ScheduleForm(request.POST, project=project)
    form.is_valid()
    pk = request.POST.get("schedule", "")
    found = _schedule(project, int(pk)) if pk.isascii() and pk.isdecimal() else None
    if not wants_fragment(request):
        return _editor(request, project, form, found)
    times = form.cleaned_data.get("times")
    problems = [] if times else [*form.errors.get("cron", []), *form.errors.get("every", [])]
    problems += [] if times else form.errors.get("time_zone", [])
    context = {"times": times, "coming": _coming(times), "problems": problems}
    return render_fragment(request, EDITOR, context, partial="times")


@require_POST
def make_schedule(request: DeskRequest, slug: str) -> HttpResponse:
    """Make a schedule."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    form = ScheduleForm(request.POST, project=project)
    if not form.is_valid():
        return _editor(request, project, form, status=422)
    try:
        made = domain.make_schedule(plan=form.plan(), by=request.user)
    except AgentsError as error:
        form.add_error("name" if isinstance(error, ScheduleError) else "message", str(error))
        return _editor(request, project, form, status=422)
    messages.success(request, f"{made.name} is on; it is due at {made.next_at:%d %b, %H:%M} UTC.")
    return go_to(request, reverse("settings:schedules", args=[slug]))


@require_POST
def change_schedule(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Change a schedule."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    found = _schedule(project, pk)
    form = ScheduleForm(request.POST, project=project)
    if not form.is_valid():
        return _editor(request, project, form, found, status=422)
    try:
        domain.change_schedule(schedule=found, plan=form.plan(), by=request.user)
    except AgentsError as error:
        if found.archived_at is not None:
            messages.error(request, str(error))
            return go_to(request, reverse("settings:schedule", args=[slug, pk]))
        form.add_error("name" if isinstance(error, ScheduleError) else "message", str(error))
        return _editor(request, project, form, found, status=422)
    messages.success(request, "Saved: its times are counted from now.")
    return go_to(request, reverse("settings:schedule", args=[slug, pk]))


@require_POST
def turn_schedule(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Turn a schedule on or off."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    found = _schedule(project, pk)
    is_on = request.POST.get("is_on") == "1"
    try:
        domain.turn_schedule(schedule=found, is_on=is_on, by=request.user)
    except ScheduleError as error:
        messages.error(request, str(error))
    else:
        what = "is on" if is_on else "is off; what it misses is not made up for"
        messages.success(request, f"{found.name} {what}.")
    return go_to(request, reverse("settings:schedules", args=[slug]))


@require_POST
def archive_schedule(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """End a schedule for good."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    found = _schedule(project, pk)
    try:
        domain.archive_schedule(schedule=found, by=request.user)
    except ScheduleError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{found.name} is archived: it starts nothing any more.")
    return go_to(request, reverse("settings:schedules", args=[slug]))


@require_POST
def run_schedule_now(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Start the schedule's run once, now."""
    project = project_for(request, slug, Permission.SCHEDULE_RUNS)
    found = _schedule(project, pk)
    try:
        run = domain.run_schedule_now(schedule=found, by=request.user)
    except AgentsError as error:
        messages.error(request, str(error))
        return go_to(request, reverse("settings:schedule", args=[slug, pk]))
    return go_to(request, reverse("sessions:detail", args=[slug, run.session_id]))


def _editor(
    request: HttpRequest,
    project: Project,
    form: ScheduleForm,
    found: Schedule | None = None,
    status: int = 200,
) -> HttpResponse:
    times = form.cleaned_data.get("times") if form.is_bound else _times(found)
    runs = Run.objects.filter(schedule=found).select_related("session", "version")
    context = {
        "form": form,
        "schedule": found,
        "times": times,
        "coming": _coming(times),
        "zones": time_zones(),
        "runs": runs.order_by("-created_at")[:_NUM_RUNS] if found else [],
        **_context(request, project),
    }
    return render_page(request, EDITOR, context, partial="settings", status=status)


def _context(request: HttpRequest, project: Project) -> dict[str, Any]:
    return {
        "may_schedule": may(request, Permission.SCHEDULE_RUNS),
        "schedulers": " or ".join(roles_with(Permission.SCHEDULE_RUNS)),
        **settings_context(request, project, "schedules"),
    }


def _schedule(project: Project, pk: int) -> Schedule:
    found = Schedule.objects.select_related(
        "project", "agent", "agent__project", "agent__live_version", "version"
    )
    row = found.filter(project=project, pk=min(pk, 2**63 - 1)).first()
    if row is None:
        raise Http404(f"This project has no schedule {pk}.")
    return row


def _times(found: Schedule | None) -> Times | None:
    try:
        return times_of(found) if found else None
    except ScheduleError:
        return None


def _words(found: Schedule) -> str:
    times = _times(found)
    return times.words if times else "times that cannot be read"


def _coming(times: Times | None) -> list[Coming]:
    if times is None:
        return []
    zone = ZoneInfo(times.time_zone)
    found = islice(upcoming(times, after=database_now()), NUM_SHOWN)
    return [
        Coming(f"{at.astimezone(zone):%a %d %b %Y, %H:%M}", f"{at:%d %b, %H:%M} UTC")
        for at in found
    ]
