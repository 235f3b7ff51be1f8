"""Settings > Masking: which kinds are masked before anything is stored, and a box to try it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.keeping_forms import MaskingForm, TryForm
from reviewdesk.screens.settings.views import settings_context
from traces import redaction
from traces.counted import masked_since
from traces.models import Project
from traces.redaction import KINDS, Kind, masker_for

MASKING = "settings/masking.html"
DAYS = 30


@dataclass(frozen=True)
class KindRow:
    """A kind of value, and what this project does with it.

    Attributes:
        kind: What it is.
        is_on: Whether it is masked.
        example: Its example as it is stored.
        num_masked: In sessions of the last 30 days.
    """

    kind: Kind
    is_on: bool
    example: str
    num_masked: int


@require_safe
def masking(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the rules, with how much they masked lately."""
    project = project_for(request, slug)
    return render_page(request, MASKING, _context(request, project), partial="settings")


@require_POST
def set_masking(request: DeskRequest, slug: str) -> HttpResponse:
    """Switch kinds on and off, for what is stored from now on."""
    project = project_for(request, slug, Permission.KEEP_DATA)
    form = MaskingForm(request.POST)
    if not form.is_valid():
        context = _context(request, project) | {"form": form}
        return render_page(request, MASKING, context, partial="settings", status=422)
    redaction.set_masking(
        project=project,
        kinds=frozenset(form.cleaned_data["kinds"]),
        by=request.user,
        reason=form.cleaned_data["reason"],
    )
    messages.success(request, "Saved: what is stored from now on is masked by these rules.")
    return go_to(request, reverse("settings:masking", args=[slug]))


@never_cache
@require_POST
def try_masking(request: DeskRequest, slug: str) -> HttpResponse:
    """Show a text as it would be stored; nothing of it is."""
    project = project_for(request, slug)
    form = TryForm(request.POST)
    context = _context(request, project) | {"try_form": form}
    if not form.is_valid():
        return render_page(request, MASKING, context, partial="settings", status=422)
    masked, counts = masker_for(project).counted_text(form.cleaned_data["text"])
    context |= {"masked": masked, "counts": counts, "is_tried": True}
    return render_page(request, MASKING, context, partial="settings")


def _context(request: HttpRequest, project: Project) -> dict[str, Any]:
    masker = masker_for(project)
    nums = masked_since(project.pk, (timezone.now() - timedelta(days=DAYS)).date())
    return {
        "rows": [
            KindRow(
                kind=kind,
                is_on=kind.key in masker.kinds,
                example=masker.text(kind.example),
                num_masked=nums.get(kind.key, 0),
            )
            for kind in KINDS
        ],
        "days": DAYS,
        "form": MaskingForm(),
        "try_form": TryForm(),
        "may_keep": may(request, Permission.KEEP_DATA),
        **settings_context(request, project, "masking"),
    }
