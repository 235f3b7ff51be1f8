"""Settings > Budgets: what agents may use in a day, what they used, and what ended over it."""

from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from agents.budgets import MAX_REASON, limit_of, limit_problems, set_budget
from agents.errors import BudgetError
from agents.models import Budget, BudgetWarning, Run
from agents.runtime.spending import MEASURE_TITLES
from reviewdesk.kpis.spending import DAYS, Scope, project_day, scopes_of
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.budget_charts import amount_of, spend_chart, use_bar
from reviewdesk.screens.settings.views import settings_context
from traces.models import Project

BUDGETS = "settings/budgets.html"
_MAX_RUNS = 20
_TEXT = {"class": "form-control"}
_LABELS = {
    "cost_usd": "Cost, US dollars",
    "tokens": "Tokens",
    "steps": "Steps",
    "tool_calls": "Tool calls",
    "seconds": "Seconds worked",
    "runs": "Runs",
}


class BudgetForm(forms.Form):
    """The limits of a day; an empty one is none."""

    agent = forms.ChoiceField(
        label="For", required=False, widget=forms.Select(attrs={"class": "form-select"})
    )

    def __init__(self, *args: Any, scopes: list[Scope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].choices = [  # type: ignore[attr-defined]
            (each.key, each.name if each.agent else "all agents together") for each in scopes
        ]
        for measure, label in _LABELS.items():
            self.fields[measure] = forms.DecimalField(
                label=label,
                required=False,
                widget=forms.NumberInput(
                    attrs={**_TEXT, "step": "any", "min": "0", "placeholder": "no limit"}
                ),
            )
        self.fields["reason"] = forms.CharField(
            label="Reason",
            max_length=MAX_REASON,
            widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
            error_messages={"required": "Say why; the reason stays with the budget."},
        )

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        """Return the fields of the limits."""
        return [self[measure] for measure in _LABELS]

    def clean(self) -> dict[str, Any]:
        """Check the limits; each problem goes to its field."""
        cleaned: dict[str, Any] = super().clean() or {}
        for measure, problem in limit_problems(self.limits()).items():
            self.add_error(measure, problem)
        return cleaned

    def limits(self) -> dict[str, Decimal | None]:
        """Return the limits by measure."""
        return {measure: self.cleaned_data.get(measure) for measure in _LABELS}


@require_safe
def budgets(request: DeskRequest, slug: str) -> HttpResponse:
    """Show today's and the last days' spend against the budgets."""
    project = project_for(request, slug)
    return render_page(request, BUDGETS, _context(request, project), partial="settings")


@require_POST
def change_budget(request: DeskRequest, slug: str) -> HttpResponse:
    """Set the limits of the project or of one agent."""
    project = project_for(request, slug, Permission.SET_BUDGETS)
    scopes = scopes_of(project, today=_today())
    form = BudgetForm(request.POST, scopes=scopes)
    if not form.is_valid():
        return _again(request, project, form, status=422)
    scope = next(each for each in scopes if each.key == form.cleaned_data["agent"])
    try:
        set_budget(
            project=project,
            agent=scope.agent,
            limits=form.limits(),
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except BudgetError as error:
        form.add_error(None, str(error))
        return _again(request, project, form, status=409)
    whose = scope.name if scope.agent else project.name
    messages.success(request, f"The budget of {whose} is set; it holds for runs in flight too.")
    address = reverse("settings:budgets", args=[slug])
    return go_to(request, f"{address}?agent={scope.key}" if scope.agent else address)


def over_budget_runs(project: Project) -> QuerySet[Run]:
    """Return the runs of the last 30 days that ended over a limit or budget, newest first."""
    since = timezone.now() - timedelta(days=DAYS)
    return (
        Run.objects.filter(
            agent__project=project, status=Run.Status.OVER_BUDGET, created_at__gte=since
        )
        .select_related("agent", "session")
        .defer("input", "fixtures", "session__said", "session__said_vector", "session__metadata")
        .order_by("-finished_at", "-pk")
    )


def warnings_today(project: Project) -> list[BudgetWarning]:
    """Return today's warnings, the farthest of each limit, newest first. One query."""
    rows = BudgetWarning.objects.filter(budget__project=project, day=_today())
    found: dict[tuple[int, str], BudgetWarning] = {}
    for row in rows.select_related("budget__agent", "budget__project").order_by("percent"):
        found[row.budget_id, row.measure] = row
    return sorted(found.values(), key=lambda row: row.created_at, reverse=True)


def _context(request: HttpRequest, project: Project) -> dict[str, Any]:
    scopes = scopes_of(project, today=_today())
    scope = _wanted(request, scopes)
    measure = request.GET.get("measure", "")
    measure = measure if measure in Budget.MEASURES else "cost_usd"
    runs = over_budget_runs(project)
    limit = limit_of(scope.budget, measure)
    initial: dict[str, Any] = {name: limit_of(scope.budget, name) for name in Budget.MEASURES}
    return {
        "scopes": [(each, [use_bar(use) for use in each.uses]) for each in scopes],
        "scope": scope,
        "measure": measure,
        "measures": MEASURE_TITLES.items(),
        "chart": spend_chart(scope.days, measure=measure, limit=limit),
        "days": [(day, amount_of(day, measure)) for day in reversed(scope.days) if day.steps],
        "projected": project_day(
            project, agent=scope.agent, used=scope.today.cost_usd, now=timezone.now()
        ),
        "warnings": warnings_today(project),
        "runs": runs[:_MAX_RUNS],
        "num_runs": runs.count(),
        "form": BudgetForm(initial={**initial, "agent": scope.key}, scopes=scopes),
        "may_set": may(request, Permission.SET_BUDGETS),
        "setters": " or ".join(roles_with(Permission.SET_BUDGETS)),
        **settings_context(request, project, "budgets"),
    }


def _again(
    request: HttpRequest, project: Project, form: BudgetForm, *, status: int
) -> HttpResponse:
    context = _context(request, project) | {"form": form}
    return render_page(request, BUDGETS, context, partial="settings", status=status)


def _wanted(request: HttpRequest, scopes: list[Scope]) -> Scope:
    wanted = request.GET.get("agent", "")
    found = next((each for each in scopes if each.key == wanted), None)
    if found is None:
        raise Http404(f"This project has no agent {wanted}.")
    return found


def _today() -> date:
    return timezone.now().astimezone(UTC).date()
