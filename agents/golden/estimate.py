"""What an eval run will take in time and money, from earlier results of the same tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Avg, F, Sum

from agents.golden.plan import repeats_of
from agents.models import EvalResult, EvalRun, GoldenTest, Version

# So many eval runs say how many runs this desk has in flight.
_RECENT = 5


@dataclass(frozen=True)
class Estimate:
    """What an eval run is expected to take.

    Attributes:
        runs: Repeats of tests that it holds.
        seconds: From its start to its end; None is unknown.
        cost_usd: Of the agent's model calls; None is unknown.
        known: Of how many of the tests there are earlier results.
        tests: How many tests there are.
    """

    runs: int
    seconds: int | None
    cost_usd: Decimal | None
    known: int
    tests: int

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in `EvalRun.estimate`; what is unknown is left out."""
        data: dict[str, Any] = {"runs": self.runs, "from": f"{self.known} of {self.tests} tests"}
        if self.seconds is not None:
            data["seconds"] = self.seconds
        if self.cost_usd is not None:
            data["cost_usd"] = str(self.cost_usd)
        return data


def estimate_from_json(data: Mapping[str, Any]) -> Estimate | None:
    """Return the estimate that `Estimate.to_json` wrote; None where there was none."""
    if "runs" not in data:
        return None
    known, _, tests, *_ = str(data["from"]).split()
    cost = data.get("cost_usd")
    return Estimate(
        runs=data["runs"],
        seconds=data.get("seconds"),
        cost_usd=None if cost is None else Decimal(cost),
        known=int(known),
        tests=int(tests),
    )


def estimate_for(
    version: Version, tests: Sequence[GoldenTest], num_repeats: int = 1, *, num_arms: int = 1
) -> Estimate:
    """Return what running these tests on a version will take. Three queries.

    A test's time and cost are the means of its results of the version; where there are none, of
    all versions; where there are none of those either, of the other tests here, if half of them
    or more are known. Runs are in flight as in the agent's last eval runs.

    Args:
        version: What is to be tested.
        tests: With what.
        num_repeats: How often each, before critical ones are given more.
        num_arms: 2 where a baseline is run with it.
    """
    own = _history(tests, version)
    known = _history(tests, None) | own
    repeats = {test.pk: repeats_of(test, num_repeats) * num_arms for test in tests}
    runs = sum(repeats.values())
    times = {pk: ms for pk, (ms, _) in known.items() if ms is not None}
    costs = {pk: cost for pk, (_, cost) in known.items() if cost is not None}
    working = _total(times, repeats)
    seconds = None
    if working is not None:
        longest = max(times.values())
        seconds = max(1, round(max(longest, working / _in_flight(version, runs)) / 1000))
    cost = _total(costs, repeats)
    return Estimate(
        runs=runs,
        seconds=seconds,
        cost_usd=None if cost is None else Decimal(cost).quantize(Decimal("0.0001")),
        known=len(times),
        tests=len(tests),
    )


def _history(
    tests: Sequence[GoldenTest], version: Version | None
) -> dict[int, tuple[float | None, float | None]]:
    """Return mean working time (ms) and cost (US dollars) by test."""
    results = EvalResult.objects.filter(
        test__in=[test.pk for test in tests],
        status__in=[EvalResult.Status.PASSED, EvalResult.Status.FAILED],
    )
    if version is not None:
        results = results.filter(eval_run__version=version)
    means = results.values("test_id").annotate(ms=Avg("working_ms"), cost=Avg("cost_usd"))
    return {
        row["test_id"]: (row["ms"], None if row["cost"] is None else float(row["cost"]))
        for row in means
    }


def _total(known: dict[int, float], repeats: dict[int, int]) -> float | None:
    """Return the sum over all repeats; a test that is not known takes the mean of the others."""
    if not known or 2 * len(known) < len(repeats):
        return None
    mean = sum(known.values()) / len(known)
    return sum(known.get(pk, mean) * number for pk, number in repeats.items())


def _in_flight(version: Version, runs: int) -> float:
    """Return how many runs went on at a time in the agent's last eval runs, 1 or more."""
    ended = (EvalRun.Status.PASSED, EvalRun.Status.FAILED, EvalRun.Status.INCONCLUSIVE)
    done = EvalRun.objects.filter(agent=version.agent_id, status__in=ended).annotate(
        worked=Sum("results__working_ms"),
        took=F("finished_at") - F("created_at"),
    )
    shares = [
        each.worked / 1000 / each.took.total_seconds()
        for each in done.order_by("-pk")[:_RECENT]
        if each.worked and each.took and each.took.total_seconds() > 0
    ]
    return min(max(shares, default=1.0), runs) if shares and max(shares) > 1 else 1.0
