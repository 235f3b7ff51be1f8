"""Two sessions beside each other, and choosing the second."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reviewdesk.people.access import DeskRequest, project_for, session_for
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.sessions.beside import MAX_LINES, lines_of, parts_of, totals_of
from reviewdesk.screens.sessions.candidates import candidates_for, session_id_in
from reviewdesk.screens.sessions.label_form import label_panel
from reviewdesk.screens.sessions.selection import read_selection
from traces.models import Session


@require_safe
def choose(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Show what a session can be compared with; a pasted link or id goes straight there."""
    session = session_for(request, slug, pk)
    given = request.GET.get("with", "")
    other = session_id_in(given)
    if other and other != session.pk and session.project.sessions.filter(pk=other).exists():
        return redirect("sessions:compare", slug, session.pk, other)
    context = {
        "project": session.project,
        "session": session,
        "given": given,
        "candidates": candidates_for(session),
    }
    return render_page(request, "sessions/choose.html", context, partial="choose")


@require_safe
def compare(request: DeskRequest, slug: str, pk: uuid.UUID, other: uuid.UUID) -> HttpResponse:
    """Show two sessions aligned step by step, differences marked, totals compared."""
    left = session_for(request, slug, pk)
    right = session_for(request, slug, other)
    lines = [lines_of(session) for session in (left, right)]
    parts = parts_of(lines[0][0], lines[1][0])
    context = {
        "project": left.project,
        "left": left,
        "right": right,
        "sides": [(left, _outcome(request, left)), (right, _outcome(request, right))],
        "parts": parts,
        "totals": totals_of(left, right),
        "num_different": sum(not part.is_same for part in parts),
        "num_same": sum(len(part.rows) for part in parts if part.is_same),
        "is_cut": lines[0][1] or lines[1][1],
        "max_lines": MAX_LINES,
    }
    return render_page(request, "sessions/compare.html", context, partial="compare")


@require_POST
def compare_chosen(request: DeskRequest, slug: str) -> HttpResponse:
    """Go to the comparison of the two sessions that were ticked in the list, the older as A."""
    project = project_for(request, slug)
    ids = read_selection(request.POST, project).ids
    if len(ids) != 2:
        messages.error(request, f"Select two sessions to compare; these were {len(ids):,}.")
        return go_to(request, reverse("sessions:index", args=[slug]))
    older = project.sessions.filter(pk__in=ids).order_by("started_at", "pk")
    pair = list(older.values_list("pk", flat=True))
    return go_to(request, reverse("sessions:compare", args=[slug, *pair]))


def _outcome(request: HttpRequest, session: Session) -> Any:
    """Return the outcome of the latest completed label that this person may see, or None."""
    panel = label_panel(request, session)
    labels = [*panel.others, *([panel.label] if panel.label and panel.is_completed else [])]
    return labels[-1].outcome if labels else None
