"""A tool's circuit breaker and limits on pages.

A page that shows one tool of an agent puts `breaker_context(…)` into its context and includes
`autonomy/breaker.html`; a list of tools asks `breakers_of` once and includes it per row, with
`breaker=` a view and nothing to press.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from agents.models import ToolGuard, ToolSlot
from agents.tools.breaker import is_held_open
from agents.tools.contract import ToolContract
from agents.tools.guards import tokens_now
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.autonomy.forms import ReasonForm
from traces.models import Project

_LOOKS = {
    ToolGuard.Breaker.CLOSED: ("good", "circuit-switch-closed", "closed"),
    ToolGuard.Breaker.OPEN: ("bad", "circuit-switch-open", "open"),
    ToolGuard.Breaker.HALF_OPEN: ("warn", "progress-check", "half-open"),
}


@dataclass(frozen=True)
class BreakerView:
    """What is shown of a tool's breaker and limits.

    Attributes:
        kind: Of the pill.
        icon: Of the pill.
        word: The state; never told by colour alone.
        is_closed: Whether calls start.
        is_held: Whether a person opened it.
        is_probing: Whether one call tries now.
        since: When it opened, or None.
        probe_at: When one call may try next, or None.
        num_failures: In a row.
        last_error: What the tool said, or the person's reason.
        num_in_flight: Calls in progress that hold a slot.
        calls_left: How many may start now, of `rate_per_minute`; None without such a limit.
    """

    contract: ToolContract
    kind: str
    icon: str
    word: str
    is_closed: bool
    is_held: bool
    is_probing: bool
    since: datetime | None
    probe_at: datetime | None
    num_failures: int
    last_error: str
    num_in_flight: int
    calls_left: int | None

    @property
    def is_quiet(self) -> bool:
        """Say whether there is nothing to tell: closed, no failures, no limits."""
        policy = self.contract.policy
        is_limited = policy.max_concurrent is not None or policy.rate_per_minute is not None
        return self.is_closed and not self.num_failures and not is_limited


def breakers_of(
    project: Project, contracts: Iterable[ToolContract], *, now: datetime
) -> dict[str, BreakerView]:
    """Return what is shown of each tool, by its name. Two queries."""
    wanted = {contract.name: contract for contract in contracts}
    guards = {
        guard.tool: guard
        for guard in ToolGuard.objects.filter(project=project, tool__in=list(wanted))
    }
    slots = ToolSlot.objects.filter(project=project, tool__in=list(wanted), until__gt=now)
    taken = dict(slots.values_list("tool").annotate(num=Count("pk")).order_by())
    return {
        name: _view(contract, guards.get(name) or ToolGuard(tool=name), taken.get(name, 0), now)
        for name, contract in wanted.items()
    }


def breaker_context(
    request: DeskRequest, contract: ToolContract, *, now: datetime, **extra: Any
) -> dict[str, Any]:
    """Return the variables of `autonomy/breaker.html` for a tool that can be stopped there."""
    project = request.membership.project
    return {
        "breaker": breakers_of(project, [contract], now=now)[contract.name],
        "open_breaker_form": ReasonForm(prefix="open"),
        "close_breaker_form": ReasonForm(prefix="close"),
        "may_open_breaker": may(request, Permission.LOWER_AUTONOMY),
        "may_close_breaker": may(request, Permission.RAISE_AUTONOMY),
        "breaker_closers": " or ".join(roles_with(Permission.RAISE_AUTONOMY)),
        **extra,
    }


def _view(contract: ToolContract, guard: ToolGuard, num_taken: int, now: datetime) -> BreakerView:
    kind, icon, word = _LOOKS[ToolGuard.Breaker(guard.breaker)]
    rate = contract.policy.rate_per_minute
    return BreakerView(
        contract=contract,
        kind=kind,
        icon=icon,
        word=word,
        is_closed=guard.breaker == ToolGuard.Breaker.CLOSED,
        is_held=is_held_open(guard),
        is_probing=guard.breaker == ToolGuard.Breaker.HALF_OPEN,
        since=guard.opened_at,
        probe_at=guard.probe_at,
        num_failures=guard.num_failures,
        last_error=guard.last_error,
        num_in_flight=num_taken,
        calls_left=int(tokens_now(guard, rate, now)) if rate is not None else None,
    )
