"""The KPIs of a period: each number with its interval, its change, and its weeks. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from reviewdesk.kpis import estimates
from reviewdesk.kpis.definitions import (
    COST_PER_SESSION,
    DECISION_TIME,
    FAILED_STEPS,
    TASK_SUCCESS,
    Kpi,
)
from reviewdesk.kpis.estimates import Change, Estimate, Interval
from reviewdesk.kpis.measure import Week, together
from reviewdesk.kpis.period import NUM_WEEKS_BEFORE


@dataclass(frozen=True)
class Tile:
    """A KPI as it stands.

    Attributes:
        now: The newest week.
        before: The four weeks before it.
        difference: 95 % interval of `now - before`, None where it cannot be given.
        weeks: One estimate per week, oldest first; those with too little data have no value.
    """

    kpi: Kpi
    now: Estimate
    before: Estimate
    difference: Interval | None
    change: Change
    weeks: tuple[Estimate, ...]

    @property
    def is_rising(self) -> bool:
        """Say whether the number itself went up; whether that is good is `change`."""
        if self.now.value is None or self.before.value is None:
            return False
        return self.now.value > self.before.value


def tiles_of(weeks: list[Week]) -> tuple[Tile, ...]:
    """Return the tile of every KPI for weeks that are sorted oldest first."""
    return (
        _tile(TASK_SUCCESS, weeks, _success, _success_difference),
        _tile(FAILED_STEPS, weeks, _failed_steps, _failed_steps_difference),
        _tile(COST_PER_SESSION, weeks, _cost, _cost_difference),
        _tile(DECISION_TIME, weeks, _decisions, _decisions_difference),
    )


def _tile(
    kpi: Kpi,
    weeks: list[Week],
    estimate: Callable[[Week, int], Estimate],
    compare: Callable[[Week, Week], Interval | None],
) -> Tile:
    newest, earlier = weeks[-1], together(weeks[-1 - NUM_WEEKS_BEFORE : -1])
    now, before = estimate(newest, kpi.min_n), estimate(earlier, kpi.min_n)
    is_known = now.value is not None and before.value is not None
    difference = compare(newest, earlier) if is_known else None
    return Tile(
        kpi=kpi,
        now=now,
        before=before,
        difference=difference,
        change=estimates.change(difference, higher_is_better=kpi.is_higher_better),
        weeks=tuple(estimate(week, kpi.min_point) for week in weeks),
    )


def _success(week: Week, min_n: int) -> Estimate:
    return estimates.rate(week.num_resolved, week.num_labelled, min_n=min_n)


def _success_difference(now: Week, before: Week) -> Interval:
    return estimates.rate_difference(
        now.num_resolved, now.num_labelled, before.num_resolved, before.num_labelled
    )


def _failed_steps(week: Week, min_n: int) -> Estimate:
    return estimates.rate(week.num_with_errors, week.num_ended, min_n=min_n)


def _failed_steps_difference(now: Week, before: Week) -> Interval:
    return estimates.rate_difference(
        now.num_with_errors, now.num_ended, before.num_with_errors, before.num_ended
    )


def _cost(week: Week, min_n: int) -> Estimate:
    return estimates.mean(week.cost, min_n=min_n)


def _cost_difference(now: Week, before: Week) -> Interval | None:
    return estimates.mean_difference(now.cost, before.cost)


def _decisions(week: Week, min_n: int) -> Estimate:
    return estimates.median(week.decisions, min_n=min_n)


def _decisions_difference(now: Week, before: Week) -> Interval | None:
    return estimates.median_difference(now.decisions, before.decisions)
