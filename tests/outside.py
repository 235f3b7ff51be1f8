"""Tools outside, done by functions of a test: what they did is a list, and they fail as told."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from agents.models import Agent, Effect, Level, Run, Tier, Version
from agents.runtime.claim import take_back_lost_runs
from agents.tools.contract import CallPolicy, ToolContract, ToolKind
from agents.tools.registry import forget, register
from tests.shop import make_shop_agent

INPUT = {"messages": [{"role": "user", "content": "Pay please"}], "turns": []}
PARAMETERS = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}},
    "required": ["amount"],
    "additionalProperties": False,
}


class WorkerLostError(BaseException):
    """The worker is gone: nothing catches this, as nothing catches SIGKILL."""


@dataclass
class Till:
    """What a tool of ours did outside.

    Attributes:
        name: The tool's.
        keys: The effect key of every effect, in order.
        troubles: What happens at the next attempts, before (`early`) or after the effect.
    """

    name: str
    keys: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    troubles: list[tuple[str, BaseException | Callable[[], None]]] = field(default_factory=list)
    result: Any = None

    def pay(self, call: Any, amount: int) -> Any:
        self.attempts.append(call.effect_key)
        when, trouble = self.troubles.pop(0) if self.troubles else ("", lambda: None)
        if when == "early":
            _happen(trouble)
        self.keys.append(call.effect_key)
        if when == "late":
            _happen(trouble)
        return self.result or {"paid": amount}

    def look_up(self, call: Any) -> dict[str, Any] | None:
        return {"result": {"paid": 5}} if call.effect_key in self.keys else None

    @property
    def call(self) -> tuple[str, dict[str, Any]]:
        return self.name, {"amount": 5}


def _happen(trouble: BaseException | Callable[[], None]) -> None:
    if isinstance(trouble, BaseException):
        raise trouble
    trouble()


@contextmanager
def till(
    effect: Effect = Effect.UNKEYED,
    *,
    has_lookup: bool = False,
    returns: dict[str, Any] | None = None,
    tier: Tier = Tier.WRITE_REVERSIBLE,
    **policy: Any,
) -> Iterator[Till]:
    """Register a function tool with this effect until the end of the block."""
    made = Till(f"pay_{uuid.uuid4().hex[:8]}")
    register(
        ToolContract(
            name=made.name,
            version="1",
            description="Pays.",
            parameters=PARAMETERS,
            tier=Tier.READ if effect == Effect.READ else tier,
            function=made.pay,
            returns=returns,
            effect=effect,
            kind=ToolKind.FUNCTION,
            policy=CallPolicy(**{"time_limit_seconds": 5.0, **policy}),
            lookup=made.look_up if has_lookup else None,
        )
    )
    try:
        yield made
    finally:
        forget(made.name)


def make_payer(
    base_url: str, *tills: Till, level: Level = Level.AUTONOMOUS
) -> tuple[Agent, Version]:
    """Make a shop agent that may use the tills too."""
    return make_shop_agent(base_url, **{each.name: level for each in tills})


def lose_worker(run: Run) -> None:
    """Let the lease of a run end, and take it back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_run SET lease_until = clock_timestamp() - interval '1 s' WHERE id = %s",
            [run.pk],
        )
    assert take_back_lost_runs() == 1


def make_due(run: Run) -> None:
    """Let a run that waits for its next attempt be due now."""
    Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(next_at=run.created_at)
