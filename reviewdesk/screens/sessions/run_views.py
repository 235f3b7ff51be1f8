"""Starting runs from the desk, answering as the customer, running again, cancelling."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from agents.demo.customers import CustomerTask, customer_tasks
from agents.demo.records import DATASET, shop_records
from agents.errors import RunError
from agents.models import Agent, Run, ShopRecord
from agents.runtime.start import continue_run, request_cancel, start_run
from reviewdesk.people.access import DeskRequest, project_for, session_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.sessions.start_form import StartForm
from traces.models import Project


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: DeskRequest, slug: str) -> HttpResponse:
    """Start a run: with words of one's own, or as one of the demo shop's customers."""
    project = project_for(request, slug, Permission.START_RUNS)
    tasks = _tasks(project)
    data = request.POST if request.method == "POST" else None
    form = StartForm(data, project=project, initial=_initial(request, tasks))
    if request.method == "POST" and form.is_valid():
        try:
            run = start_run(started_by=request.user, **form.run_arguments())
        except RunError as error:
            form.add_error(None, str(error))
        else:
            return redirect("sessions:detail", slug, run.session_id)
    status = 422 if form.errors else 200
    context = {"project": project, "form": form, "tasks": tasks, "demo": DATASET}
    return render(request, "sessions/start.html", context, status=status)


@require_POST
def continue_as_customer(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Say one more thing as the customer of a finished run."""
    run = _run(request, slug, pk)
    try:
        continue_run(run=run, content=request.POST.get("content", ""), by=request.user)
    except RunError as error:
        messages.error(request, str(error))
    return redirect("sessions:detail", slug, pk)


@require_POST
def cancel(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Ask a run to stop before its next step."""
    run = _run(request, slug, pk)
    try:
        request_cancel(run=run, by=request.user)
    except RunError as error:
        messages.error(request, str(error))
    return redirect("sessions:detail", slug, pk)


@require_POST
def run_again(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Start a new run with the same input, of the version that is live now."""
    run = _run(request, slug, pk)
    if run.kind not in (Run.Kind.LIVE, Run.Kind.REPLAY):
        # Its customer was never there, and a live run's effects are meant.
        raise Http404("Only a run for a customer is run again.")
    try:
        new = start_run(
            agent=run.agent,
            version=run.agent.live_version or run.version,
            run_input=run.input,
            customer=run.session.customer,
            started_by=request.user,
        )
    except RunError as error:
        messages.error(request, str(error))
        return redirect("sessions:detail", slug, pk)
    return redirect("sessions:detail", slug, new.session_id)


def _run(request: DeskRequest, slug: str, pk: uuid.UUID) -> Run:
    """Return the run of a session, for somebody who may start runs."""
    session = session_for(request, slug, pk, Permission.START_RUNS)
    runs = Run.objects.select_related("agent__live_version", "version", "session")
    found = runs.filter(session=session).first()
    if found is None:
        raise Http404("This session was recorded elsewhere; it has no run here.")
    return found


def _tasks(project: Project) -> list[CustomerTask]:
    """Return the demo's customers, where an agent works on the demo shop and its data is here."""
    has_demo = Agent.objects.filter(project=project, dataset=DATASET).exists()
    has_records = has_demo and ShopRecord.objects.filter(dataset=DATASET).exists()
    return customer_tasks(shop_records()) if has_records else []


def _initial(request: DeskRequest, tasks: list[CustomerTask]) -> dict[str, str]:
    chosen = {name: request.GET.get(name, "") for name in ("agent", "version")}
    wanted = request.GET.get("task", "")
    task = next((each for each in tasks if each.key == wanted), None)
    if task is None:
        return chosen
    return {
        **chosen,
        "customer": task.customer,
        "message": task.first,
        "turns": "\n\n".join(task.turns),
        "task": task.key,
    }
