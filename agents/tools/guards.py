"""What keeps calls of a tool within bounds over all workers: breaker, concurrency, rate.

A call is admitted in the transaction that writes its step, and settled in the one that stores its
outcome; in between it holds a `ToolSlot`, where the tool allows only so many, or tries whether the
tool is back. Everything shared is a row, so that the bounds hold whatever becomes of a worker.

A tool without bounds and without failures costs one query per admission and per settlement, and
takes no lock. Otherwise the tool's `ToolGuard` is locked FOR UPDATE until the transaction ends,
after the run's row.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection

from agents.models import Run, ToolGuard, ToolSlot
from agents.tools import breaker
from agents.tools.contract import CallPolicy, ToolContract

SLOT_GRACE = timedelta(seconds=15)
"""What a slot lasts beyond the call's time limit: storing the outcome, a lease to end."""

NEAR_SECONDS = 60.0
"""How far off a probe may be for the call to wait for it."""

MAX_WAIT_SECONDS = 60.0
_random = random.SystemRandom()


class Outcome(StrEnum):
    """What an attempt came to, as far as the tool's health is concerned."""

    OK = "ok"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Admission:
    """Whether an attempt may start now, or what to do instead.

    Attributes:
        is_admitted: It may start; its slot and token are taken.
        wait_seconds: Try again after so long; None where waiting is not the answer.
        refusal: Words for the model, where the call fails without an attempt.
        fallback: `{"result": JSON}` to answer with instead, or None.
        attributes: For the span: the state of the breaker where it matters.
    """

    is_admitted: bool
    wait_seconds: float | None = None
    refusal: str = ""
    fallback: dict[str, Any] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


_FREE = Admission(is_admitted=True)


def admit(
    *, run: Run, contract: ToolContract, effect_key: str, now: datetime, is_repeat: bool = False
) -> Admission:
    """Say whether an attempt may start, and take what it needs; inside `fenced` only.

    The same `effect_key` may be admitted again after a crash: it keeps its slot.

    Args:
        run: Who calls.
        contract: The tool.
        effect_key: The call's idempotency key, the same at every attempt.
        now: The database's clock.
        is_repeat: An earlier attempt may have reached the tool. A call that changes something is
            then told to wait while the breaker is open, never answered otherwise.
    """
    policy = contract.policy
    if not _is_limited(policy) and not _is_watched(run.project_id, contract.name):
        return _FREE
    guard = locked_guard(run.project_id, contract.name)
    slots = ToolSlot.objects.filter(project_id=run.project_id, tool=contract.name)
    others = slots.exclude(effect_key=effect_key)
    others.filter(until__lte=now).delete()
    held = slots.filter(effect_key=effect_key).first()
    is_open = guard.breaker != ToolGuard.Breaker.CLOSED
    is_probing = others.filter(is_probe=True).exists()
    if is_open and (is_probing or not breaker.may_probe(guard, now)):
        slots.filter(effect_key=effect_key).delete()
        is_bound = (is_repeat or held is not None) and not contract.is_read
        return _while_open(guard, contract, now, is_bound=is_bound)
    if held is None and (wait := _wait_for_room(guard, policy, others.count(), now)):
        return Admission(False, wait_seconds=_spread(run, policy, wait))
    if is_open:
        guard.breaker = ToolGuard.Breaker.HALF_OPEN
    guard.save(update_fields=["breaker", "tokens", "refilled_at"])
    if held or is_open or policy.max_concurrent is not None:
        _take_slot(run, contract, effect_key, now, is_probe=is_open)
    return Admission(True, attributes={"breaker": guard.breaker} if is_open else {})


def settle(
    *,
    run: Run,
    contract: ToolContract,
    effect_key: str,
    outcome: Outcome,
    error: str = "",
    now: datetime,
) -> None:
    """Free what the attempt held and let the breaker know; inside `fenced` only.

    Only `UNAVAILABLE` counts against the tool: one that refuses is there.
    """
    is_bad = outcome is Outcome.UNAVAILABLE
    if not is_bad and not _has_history(run.project_id, contract.name, effect_key):
        return
    guard = locked_guard(run.project_id, contract.name)
    slot = ToolSlot.objects.filter(effect_key=effect_key).first()
    is_probe = slot is not None and slot.is_probe
    if slot:
        slot.delete()
    if is_bad:
        breaker.note_failure(guard, contract.policy, error=error, is_probe=is_probe, now=now)
    else:
        breaker.note_success(guard, is_probe=is_probe)


def lapse_slots() -> int:
    """Delete the slots of calls whose worker is gone; return how many. For the sweeper."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM agents_toolslot WHERE id IN ("
            "SELECT id FROM agents_toolslot WHERE until < clock_timestamp()"
            " FOR UPDATE SKIP LOCKED)"
        )
        count: int = cursor.rowcount
    return count


def guard_of(project_id: int, tool: str) -> ToolGuard:
    """Return what is known of a tool's health, for pages; an unsaved row where nothing is."""
    found = ToolGuard.objects.filter(project_id=project_id, tool=tool).first()
    return found or ToolGuard(project_id=project_id, tool=tool)


def tokens_now(guard: ToolGuard, rate_per_minute: int, now: datetime) -> float:
    """Return how many calls may start at `now`: a bucket that holds a minute's calls."""
    if guard.tokens is None or guard.refilled_at is None:
        return float(rate_per_minute)
    seconds = max((now - guard.refilled_at).total_seconds(), 0.0)
    return min(guard.tokens + seconds * rate_per_minute / 60, float(rate_per_minute))


def locked_guard(project_id: int, tool: str) -> ToolGuard:
    """Return the tool's row, made if it is missing, locked until the transaction ends."""
    rows = ToolGuard.objects.select_for_update().filter(project_id=project_id, tool=tool)
    guard = rows.first()
    if guard is None:
        ToolGuard.objects.bulk_create(
            [ToolGuard(project_id=project_id, tool=tool)], ignore_conflicts=True
        )
        guard = rows.get()
    return guard


def _is_limited(policy: CallPolicy) -> bool:
    return policy.rate_per_minute is not None or policy.max_concurrent is not None


def _is_watched(project_id: int, tool: str) -> bool:
    found = ToolGuard.objects.filter(project_id=project_id, tool=tool)
    return found.exclude(breaker=ToolGuard.Breaker.CLOSED).exists()


def _has_history(project_id: int, tool: str, effect_key: str) -> bool:
    """Say whether a good outcome changes anything: failures, an open breaker, or a slot."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM agents_toolslot WHERE effect_key = %s)"
            " OR EXISTS (SELECT FROM agents_toolguard WHERE project_id = %s AND tool = %s"
            " AND (num_failures > 0 OR breaker <> 'closed'))",
            [effect_key, project_id, tool],
        )
        found: bool = cursor.fetchone()[0]
    return found


def _while_open(
    guard: ToolGuard, contract: ToolContract, now: datetime, *, is_bound: bool
) -> Admission:
    """Return what to do instead; a call that is bound to be made may only wait."""
    attributes = {"breaker": str(guard.breaker)}
    fallback = contract.policy.fallback
    if fallback is not None and not is_bound:
        return Admission(False, fallback=fallback, attributes={**attributes, "fallback": "tool"})
    seconds = breaker.seconds_to_probe(guard, now)
    if seconds is not None and (seconds <= NEAR_SECONDS or is_bound):
        # A little after, or all that wait would ask at the same moment for the one probe.
        seconds = max(seconds, 1.0) + _random.uniform(0, 2)
        return Admission(False, wait_seconds=seconds, attributes=attributes)
    if is_bound:
        return Admission(False, wait_seconds=MAX_WAIT_SECONDS, attributes=attributes)
    return Admission(False, refusal=breaker.refusal_of(guard, now), attributes=attributes)


def _wait_for_room(
    guard: ToolGuard, policy: CallPolicy, num_taken: int, now: datetime
) -> float | None:
    """Take a token where there is room; else return the least seconds until there may be."""
    if policy.max_concurrent is not None and num_taken >= policy.max_concurrent:
        return 0.5
    if policy.rate_per_minute is None:
        return None
    tokens = tokens_now(guard, policy.rate_per_minute, now)
    if tokens < 1:
        return (1 - tokens) * 60 / policy.rate_per_minute
    guard.tokens = tokens - 1
    guard.refilled_at = max(now, guard.refilled_at) if guard.refilled_at else now
    return None


def _spread(run: Run, policy: CallPolicy, least: float) -> float:
    """Return the seconds to wait: those that wait come back one after the other, not at once."""
    waiting = Run.objects.filter(
        project_id=run.project_id, status=Run.Status.QUEUED, next_at__isnull=False
    ).count()
    per_call = 60 / policy.rate_per_minute if policy.rate_per_minute else 0.5
    return min(least + _random.uniform(0, (waiting + 1) * per_call), MAX_WAIT_SECONDS)


def _take_slot(
    run: Run, contract: ToolContract, effect_key: str, now: datetime, *, is_probe: bool
) -> None:
    until = now + timedelta(seconds=contract.policy.time_limit_seconds) + SLOT_GRACE
    ToolSlot.objects.update_or_create(
        effect_key=effect_key,
        defaults={
            "project_id": run.project_id,
            "tool": contract.name,
            "run": run,
            "is_probe": is_probe,
            "until": until,
        },
    )
