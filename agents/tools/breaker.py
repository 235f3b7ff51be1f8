"""The circuit breaker of a tool: when it opens, tries again, and closes; also by hand.

Closed, it counts failures in a row. Open, no call starts until `probe_at`. Then one call tries
(half-open): its success closes the breaker, its failure opens it for twice as long. A breaker that
a person opened has no `probe_at` and stays open until a person closes it.
"""

from datetime import datetime, timedelta

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import AutonomyError
from agents.incident_causes import breaker_closed, breaker_opened
from agents.models import ToolGuard, ToolSlot
from agents.outbox import tell
from agents.tools.autonomy import database_now
from agents.tools.contract import CallPolicy
from traces.models import Project

MAX_DOUBLINGS = 4
_Breaker = ToolGuard.Breaker
_FIELDS = ["breaker", "num_failures", "num_opened", "opened_at", "probe_at", "last_error"]


def may_probe(guard: ToolGuard, now: datetime) -> bool:
    """Say whether the time has come to try a tool whose breaker is not closed."""
    return guard.probe_at is not None and guard.probe_at <= now


def is_held_open(guard: ToolGuard) -> bool:
    """Say whether a person opened it, so that only a person closes it."""
    return guard.breaker == _Breaker.OPEN and guard.probe_at is None


def seconds_to_probe(guard: ToolGuard, now: datetime) -> float | None:
    """Return in how many seconds one call may try (0: it may now), or None if none ever may."""
    if guard.probe_at is None:
        return None
    return max((guard.probe_at - now).total_seconds(), 0.0)


def refusal_of(guard: ToolGuard, now: datetime) -> str:
    """Return why no call starts, in words for the model."""
    seconds = seconds_to_probe(guard, now)
    if seconds is None:
        return f"the tool {guard.tool} was switched off by a person; do without it"
    return (
        f"the tool {guard.tool} is out of order after {guard.num_failures} failures in a row; "
        f"it is tried again in {seconds:.0f} s; do without it"
    )


def note_failure(
    guard: ToolGuard, policy: CallPolicy, *, error: str, is_probe: bool, now: datetime
) -> None:
    """Count an attempt that found the tool away; the guard is locked.

    Stragglers that started before the breaker opened do not make the wait longer. One that opens
    because of this opens an incident too; one that a person opened is that person's to tell of.
    """
    if is_held_open(guard):
        return
    guard.num_failures += 1
    guard.last_error = error[:500]
    is_closed = guard.breaker == _Breaker.CLOSED
    if is_probe or (is_closed and guard.num_failures >= policy.breaker_failures):
        seconds = policy.breaker_seconds * 2 ** min(guard.num_opened, MAX_DOUBLINGS)
        guard.breaker, guard.num_opened = _Breaker.OPEN, guard.num_opened + 1
        guard.opened_at = guard.opened_at or now
        guard.probe_at = now + timedelta(seconds=seconds)
    guard.save(update_fields=_FIELDS)
    if is_closed and guard.breaker == _Breaker.OPEN:
        _tell(guard, f"{guard.num_failures} failures in a row")
        breaker_opened(guard)


def note_success(guard: ToolGuard, *, is_probe: bool) -> None:
    """Count an attempt that the tool answered; the guard is locked."""
    if guard.breaker == _Breaker.CLOSED or (is_probe and not is_held_open(guard)):
        _close(guard, "the tool answered again")


def open_breaker(*, project: Project, tool: str, reason: str, by: AbstractBaseUser) -> ToolGuard:
    """Let no call of a tool start until a person closes its breaker again.

    Raises:
        AutonomyError: No reason is given, or a person holds it open already.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="breaker"):
        guard = _locked(project, tool)
        if is_held_open(guard):
            raise AutonomyError(f"The breaker of {tool} is held open already.")
        ToolSlot.objects.filter(project=project, tool=tool).update(is_probe=False)
        guard.breaker, guard.probe_at, guard.last_error = _Breaker.OPEN, None, reason
        guard.opened_at = database_now()
        guard.save(update_fields=_FIELDS)
        _tell(guard, "by hand")
    return guard


def close_breaker(*, project: Project, tool: str, reason: str, by: AbstractBaseUser) -> ToolGuard:
    """Let calls of a tool start again, whatever failed before.

    Raises:
        AutonomyError: No reason is given, or the breaker is closed.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="breaker"):
        guard = _locked(project, tool)
        if guard.breaker == _Breaker.CLOSED:
            raise AutonomyError(f"The breaker of {tool} is closed already.")
        ToolSlot.objects.filter(project=project, tool=tool).update(is_probe=False)
        _close(guard, f"{by} closed it: {reason}")
    return guard


def _close(guard: ToolGuard, why: str) -> None:
    if guard.breaker != _Breaker.CLOSED and guard.opened_at:
        breaker_closed(guard, opened_at=guard.opened_at, why=why)
    guard.breaker, guard.num_failures, guard.num_opened = _Breaker.CLOSED, 0, 0
    guard.opened_at = guard.probe_at = None
    guard.save(update_fields=_FIELDS)


def _tell(guard: ToolGuard, why: str) -> None:
    payload = {
        "title": f"The circuit breaker of {guard.tool} opened: {why}",
        "url": f"/p/{guard.project.slug}/autonomy/",
        "tool": guard.tool,
    }
    opened = guard.opened_at.isoformat() if guard.opened_at else ""
    key = f"breaker:{guard.pk}:{opened}"
    tell(project=guard.project, event="breaker_opened", payload=payload, key=key)


def _locked(project: Project, tool: str) -> ToolGuard:
    ToolGuard.objects.get_or_create(project=project, tool=tool)
    return ToolGuard.objects.select_for_update().get(project=project, tool=tool)


def _checked(reason: str) -> str:
    reason = reason.strip()
    if len(reason) < 3:
        raise AutonomyError(
            f"To open or close a breaker needs a reason of at least 3 characters; "
            f"this has {len(reason)}."
        )
    return reason[:500]
