"""The demo's tool that is out of order: the carrier's tracking, whose breaker has opened."""

from datetime import timedelta

from django.db import transaction

from agents.tools.autonomy import database_now
from agents.tools.breaker import note_failure
from agents.tools.guards import locked_guard
from agents.tools.registry import contract_for
from traces.models import Project

_TOOL = "track_parcel"
_ERROR = "track_parcel answered 503 (Service Unavailable): planned maintenance until 18:00"


def trip_breaker(*, project: Project) -> None:
    """Let the carrier fail as often in a row as opens the breaker, some minutes ago."""
    policy = contract_for(_TOOL, project.pk).policy
    with transaction.atomic():
        guard = locked_guard(project.pk, _TOOL)
        when = database_now() - timedelta(minutes=7)
        for _ in range(policy.breaker_failures):
            note_failure(guard, policy, error=_ERROR, is_probe=False, now=when)
