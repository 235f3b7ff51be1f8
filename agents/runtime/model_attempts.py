"""Which model is asked after an attempt that failed, and when. Pure: no database, no clock.

One step makes at most six attempts. The version's model is asked first. After its first failure the
fallback is asked at once, where there is one, except after a rate limit whose wait is short: then
the same model is asked again. If the fallback fails too, both are asked in turn, each after a
backoff. A model that refused the call is not asked again. The next step begins with the version's
model: which endpoints are limited now is not remembered from step to step, nor between workers.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from agents.config import VersionConfig

MAX_ATTEMPTS = 6
BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0
SHORT_WAIT_SECONDS = 20.0
# An endpoint that wants more is taken for away.
MAX_WAIT_SECONDS = 3600.0
# Runs that were told the same wait do not all come back at its end.
_SPREAD_SECONDS = 1.0

Jitter = Callable[[float], float]


class Kind(StrEnum):
    """Why an attempt failed."""

    REFUSED = "refused"
    RATE_LIMIT = "rate limit"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt of a step.

    Attributes:
        model: Which was asked.
        error: In words.
        asked_wait: Seconds that its endpoint asked to be left alone, 0 where it did not ask.
        failed_at: Seconds since 1970, of the database's clock.
    """

    model: str
    kind: Kind
    error: str
    asked_wait: float
    failed_at: float

    def to_json(self) -> dict[str, Any]:
        """Return the form that is kept in the step's request."""
        return asdict(self)


@dataclass(frozen=True)
class NextAttempt:
    """What is tried next, `wait_seconds` from now."""

    model: str
    wait_seconds: float


def failed_attempts(request: dict[str, Any]) -> list[FailedAttempt]:
    """Return the attempts that failed so far, from a step's request."""
    return [
        FailedAttempt(**{**each, "kind": Kind(each["kind"])})
        for each in request.get("attempts", ())
    ]


def next_attempt(
    config: VersionConfig, failed: Sequence[FailedAttempt], *, now: float, jitter: Jitter
) -> NextAttempt | None:
    """Return what follows `failed` (at least one), or None where the step has failed.

    Args:
        config: The version's.
        failed: The step's attempts, oldest first.
        now: Seconds since 1970, of the database's clock.
        jitter: Returns a random number from 0 to its argument; full jitter, after Brooker,
            "Exponential Backoff And Jitter" (2015).
    """
    refused = {each.model for each in failed if each.kind is Kind.REFUSED}
    models = [
        model for model in (config.model, config.fallback_model) if model and model not in refused
    ]
    if not models or len(failed) >= MAX_ATTEMPTS:
        return None
    last = failed[-1]
    model = last.model if _waits_for(last, failed) else _best(models, failed, now)
    asked = max((each.failed_at + each.asked_wait - now for each in _of(model, failed)), default=0)
    if asked > MAX_WAIT_SECONDS:
        return None
    return NextAttempt(model, _wait(len(_of(model, failed)), asked, jitter))


def _waits_for(last: FailedAttempt, failed: Sequence[FailedAttempt]) -> bool:
    """Say whether the same model is asked again: its first rate limit, which will soon be over."""
    return (
        last.kind is Kind.RATE_LIMIT
        and last.asked_wait <= SHORT_WAIT_SECONDS
        and len(_of(last.model, failed)) == 1
    )


def _best(models: Sequence[str], failed: Sequence[FailedAttempt], now: float) -> str:
    """Return the model that is asked: soon available, failed least, not the last one."""

    def order(model: str) -> tuple[bool, int, bool]:
        own = _of(model, failed)
        is_long = any(each.failed_at + each.asked_wait - now > SHORT_WAIT_SECONDS for each in own)
        return is_long, len(own), model == failed[-1].model

    return min(models, key=order)


def _wait(num_failed: int, asked: float, jitter: Jitter) -> float:
    if not num_failed:
        return 0.0
    backoff = jitter(min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (num_failed - 1)))
    return max(backoff, asked + jitter(_SPREAD_SECONDS)) if asked > 0 else backoff


def _of(model: str, failed: Sequence[FailedAttempt]) -> list[FailedAttempt]:
    return [each for each in failed if each.model == model]
