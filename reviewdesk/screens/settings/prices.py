"""Settings > Prices: what models cost, models nobody knows a price of, and costs computed anew."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_fragment, render_page
from reviewdesk.screens.settings.keeping_forms import PriceForm, SinceForm
from reviewdesk.screens.settings.views import settings_context
from traces import prices as rows
from traces.errors import PriceError
from traces.models import ModelPrice, Project, Repricing
from traces.price_list import READ_ON
from traces.prices import unpriced_models
from traces.pricing import BUILT_IN, Price, own_prices
from traces.repricing import start_repricing

PRICES = "settings/prices.html"
DAYS = 30
_FIELDS = ("pattern", "starts_on", "input_usd", "cached_input_usd", "output_usd", "reasoning_usd")


@require_safe
def prices(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the prices, and first the models that have none."""
    project = project_for(request, slug)
    return render_page(request, PRICES, _context(request, project), partial="settings")


@require_safe
def repricing(request: DeskRequest, slug: str) -> HttpResponse:
    """Show how far the recomputing is."""
    project = project_for(request, slug)
    context = {"project": project, "job": _job(project)}
    return render_fragment(request, PRICES, context, partial="progress")


@require_POST
def set_price(request: DeskRequest, slug: str) -> HttpResponse:
    """Set a price; the same model and day again corrects it."""
    project = project_for(request, slug, Permission.SET_PRICES)
    form = PriceForm(request.POST)
    if not form.is_valid():
        context = _context(request, project) | {"form": form}
        return render_page(request, PRICES, context, partial="settings", status=422)
    price = rows.set_price(project=project, by=request.user, **form.cleaned_data)
    messages.success(request, f"{price.pattern} has a price. Stored costs stay until recomputed.")
    return go_to(request, reverse("settings:prices", args=[slug]))


@require_POST
def remove_price(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take a price away."""
    project = project_for(request, slug, Permission.SET_PRICES)
    price = ModelPrice.objects.filter(project=project, pk=pk).first()
    if price is None:
        raise Http404("This project has no such price.")
    rows.remove_price(price=price, by=request.user)
    messages.success(request, f"The price of {price.pattern} is taken away.")
    return go_to(request, reverse("settings:prices", args=[slug]))


@require_POST
def recompute_costs(request: DeskRequest, slug: str) -> HttpResponse:
    """Have the costs of sessions since a day computed anew, in the background."""
    project = project_for(request, slug, Permission.SET_PRICES)
    form = SinceForm(request.POST)
    if form.is_valid():
        try:
            start_repricing(project=project, since=form.cleaned_data["since"], by=request.user)
        except PriceError as error:
            form.add_error("since", str(error))
        else:
            return go_to(request, reverse("settings:prices", args=[slug]))
    context = _context(request, project) | {"since_form": form}
    return render_page(request, PRICES, context, partial="settings", status=422)


def _context(request: HttpRequest, project: Project) -> dict[str, Any]:
    today = timezone.now().date()
    own = own_prices(project.pk)
    wanted = request.GET.get("model", "")[:200]
    edited = next((row for row in own if str(row.pk) == request.GET.get("edit", "")), None)
    initial: dict[str, Any] = {"starts_on": today, "pattern": wanted}
    if edited:
        initial = {name: getattr(edited, name) for name in _FIELDS}
    return {
        "unpriced": unpriced_models(project=project, days=DAYS),
        "days": DAYS,
        "own": own,
        "built_in": _built_in(),
        "read_on": READ_ON,
        "form": PriceForm(initial=initial),
        "edited": edited,
        "since_form": SinceForm(initial={"since": today - timedelta(days=DAYS)}),
        "job": _job(project),
        "may_price": may(request, Permission.SET_PRICES),
        **settings_context(request, project, "prices"),
    }


def _built_in() -> list[Price]:
    """Return the built-in prices without the names' variants (snapshots, hosts), for people."""
    return [row for row in BUILT_IN if "*" not in row.pattern and "-latest" not in row.pattern]


def _job(project: Project) -> Repricing | None:
    jobs = Repricing.objects.filter(project=project).select_related("by")
    return jobs.order_by("-pk").first()
