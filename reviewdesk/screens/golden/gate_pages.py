"""Gates, read from the database: the list, one gate with its decision, and its progress."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Count, Q, QuerySet

from agents.gate.config import HARD_GATES, GateConfig
from agents.gate.decision import Arm, CriticalTest, Decision, HardFinding, MovedTest, Slice
from agents.judges.verdicts import why_waiting
from agents.models import Agent, EvalResult, Gate
from agents.tools.autonomy import database_now
from reviewdesk.screens.golden.board import Board
from reviewdesk.screens.golden.gate_chart import Forest, forest, interval_text
from reviewdesk.screens.golden.progress import seconds_left
from reviewdesk.screens.golden.sentence import Sentence, gate_sentence

PAGE_SIZE = 50
MAX_MOVED = 12
Thing = TypeVar("Thing", MovedTest, HardFinding, CriticalTest)


@dataclass(frozen=True)
class ArmProgress:
    """How far one version's runs are."""

    title: str
    eval_run_id: int
    num_done: int
    num_total: int
    num_passed: int
    num_judged: int
    num_infra: int
    num_not_judged: int


@dataclass(frozen=True)
class GateRow:
    """A gate in the list, with what it decided where it has."""

    gate: Gate
    decision: Decision | None

    @property
    def difference(self) -> str:
        """Return the difference with its interval, in points; a dash where there is none."""
        is_void = self.gate.status == Gate.Status.VOID
        return "–" if is_void else _difference(self.decision) or "–"


@dataclass(frozen=True)
class Linked(Generic[Thing]):
    """Something of a decision about a test; the id is None where the test is gone."""

    about: Thing
    test_id: int | None


@dataclass(frozen=True)
class CostLine:
    """A measure of both versions; None is unknown. `limits` are its ceilings, in words."""

    title: str
    unit: str
    before: float | None
    now: float | None
    limits: tuple[tuple[str, str], ...]

    @property
    def change(self) -> float | None:
        """Return the change as a share of before."""
        if not self.before or self.now is None:
            return None
        return self.now / self.before - 1


@dataclass(frozen=True)
class GatePage:
    """A gate with all that its page shows.

    Attributes:
        seconds_left: Of this look, from what is done; None while that is unknown.
        waits_because: Why its judges are put off; empty where they are not.
        test_ids: The ids of the agent's tests by slug, for links.
    """

    gate: Gate
    config: GateConfig
    decision: Decision | None
    arms: tuple[ArmProgress, ArmProgress]
    seconds_left: int | None
    test_ids: dict[str, int]
    waits_because: str = ""

    @property
    def is_running(self) -> bool:
        """Say whether it is still to be decided."""
        return self.gate.status == Gate.Status.RUNNING

    @property
    def num_done(self) -> int:
        """Return the runs of both versions that have ended."""
        return sum(arm.num_done for arm in self.arms)

    @property
    def num_total(self) -> int:
        """Return the runs of both versions that are planned so far."""
        return sum(arm.num_total for arm in self.arms)

    @property
    def percent(self) -> int:
        """Return how much of this look is done, 0-100."""
        return 100 * self.num_done // self.num_total if self.num_total else 0

    @property
    def verdict(self) -> Sentence:
        """Return what the page says first."""
        return gate_sentence(self.gate, self.decision)

    @property
    def picture(self) -> Forest | None:
        """Return the intervals as a picture."""
        return forest(self.decision) if self.decision else None

    @property
    def slices(self) -> list[tuple[Slice, str]]:
        """Return every part with its difference in words."""
        found = self.decision.slices if self.decision else ()
        return [(each, interval_text(each.diff, each.low, each.high)) for each in found]

    @property
    def moved(self) -> list[Linked[MovedTest]]:
        """Return the tests that moved, what got worse first, as many as the page shows."""
        return self._linked(self.decision.moved if self.decision else ())[:MAX_MOVED]

    @property
    def num_more_moved(self) -> int:
        """Return how many tests moved that the page does not name."""
        return max(0, len(self.decision.moved if self.decision else ()) - MAX_MOVED)

    @property
    def moved_text(self) -> str:
        """Return how many tests went which way."""
        if self.decision is None:
            return ""
        worse = self.decision.num_moved("broken", "worse")
        better = self.decision.num_moved("better", "fixed")
        # A flaky test that went up or down is told as that.
        flaky = self.decision.num_flaky - sum(_is_flaky(test) for test in self.decision.moved)
        same = self.decision.num_tests - worse - better - flaky
        return f"{better} better · {worse} worse · {flaky} flaky · {same} same"

    @property
    def hard(self) -> list[tuple[str, list[Linked[HardFinding]]]]:
        """Return every hard gate in words with what was found, also those that are clean."""
        found = self._linked(self.decision.hard if self.decision else ())
        return [
            (HARD_GATES[gate], [each for each in found if each.about.gate == gate])
            for gate in self.config.hard_gates
            if gate in HARD_GATES
        ]

    @property
    def critical(self) -> list[Linked[CriticalTest]]:
        """Return the critical tests, those that did not pass first."""
        return self._linked(self.decision.critical if self.decision else ())

    @property
    def costs(self) -> list[CostLine]:
        """Return cost and time of both versions."""
        return cost_lines(self.decision) if self.decision else []

    @property
    def total_cost(self) -> float | None:
        """Return what the gate cost so far as it is known; None where nothing is."""
        arms = (self.decision.baseline, self.decision.candidate) if self.decision else ()
        known = [arm.total_cost_usd for arm in arms if arm.total_cost_usd is not None]
        return sum(known) if known else None

    @property
    def is_for_a_person(self) -> bool:
        """Say whether the gate could not decide, and nothing is left to add."""
        return self.gate.status == Gate.Status.INCONCLUSIVE

    def _linked(self, found: Sequence[Thing]) -> list[Linked[Thing]]:
        return [Linked(each, self.test_ids.get(each.key)) for each in found]


def gates_of(agent: Agent) -> QuerySet[Gate]:
    """Return an agent's gates, newest first."""
    return (
        Gate.objects.filter(agent=agent)
        .select_related("candidate", "baseline", "requested_by", "policy")
        .defer("candidate__config", "baseline__config")
        .order_by("-pk")
    )


def gate_between(board: Board) -> Gate | None:
    """Return the gate whose two eval runs stand side by side, if there is one. One query.

    Also where they stand there because they are the newest of their versions.
    """
    sides = (board.baseline, board.candidate)
    runs = [side.eval_run for side in sides if side and side.eval_run]
    if len(runs) < 2:
        return None
    return gates_of(board.agent).filter(baseline_run=runs[0], candidate_run=runs[1]).first()


def gate_rows(gates: Iterable[Gate]) -> list[GateRow]:
    """Return gates with their decisions."""
    return [GateRow(gate, decision_of(gate)) for gate in gates]


def decision_of(gate: Gate) -> Decision | None:
    """Return what a gate has decided, or found at its last look; None before the first."""
    return Decision.from_json(gate.result) if gate.result else None


def read_gate(gate: Gate) -> GatePage:
    """Return a gate with its progress and decision. Four queries at most."""
    arms = _arms(gate)
    done, total = sum(arm.num_done for arm in arms), sum(arm.num_total for arm in arms)
    is_running = gate.status == Gate.Status.RUNNING
    run_ids = (gate.baseline_run_id, gate.candidate_run_id)
    return GatePage(
        gate=gate,
        config=GateConfig.from_json(gate.config),
        decision=decision_of(gate),
        arms=arms,
        seconds_left=_seconds_left(gate.created_at, done, total) if is_running else None,
        test_ids=dict(gate.agent.golden_tests.values_list("slug", "pk")),
        waits_because=why_waiting(run_ids) if is_running and done == total else "",
    )


def _is_flaky(test: MovedTest) -> bool:
    """Say whether it passes at times, under both versions, as `num_flaky` counts them."""
    before, now = (test.before_passed, test.before_judged), (test.now_passed, test.now_judged)
    return all(0 < passed < judged for passed, judged in (before, now))


def _difference(decision: Decision | None) -> str:
    if decision is None or decision.diff is None or decision.low is None or decision.high is None:
        return ""
    return interval_text(decision.diff, decision.low, decision.high)


def cost_lines(decision: Decision) -> list[CostLine]:
    """Return what both versions cost and how long they worked, beside the ceilings."""
    before, now = decision.baseline, decision.candidate
    return [
        CostLine(
            "Cost of a run", "money", before.cost_usd, now.cost_usd, _limits(decision, "cost")
        ),
        CostLine("Cost of a pass", "money", _per_pass(before), _per_pass(now), ()),
        CostLine(
            "Time worked in a run",
            "duration",
            _ns(before.latency_ms),
            _ns(now.latency_ms),
            _limits(decision, "latency"),
        ),
    ]


def _arms(gate: Gate) -> tuple[ArmProgress, ArmProgress]:
    status = EvalResult.Status
    found = EvalResult.objects.filter(eval_run__in=[gate.baseline_run_id, gate.candidate_run_id])
    counts = {
        row["eval_run_id"]: row
        for row in found.values("eval_run_id").annotate(
            num_total=Count("pk"),
            num_passed=Count("pk", filter=Q(status=status.PASSED)),
            num_judged=Count("pk", filter=Q(status__in=[status.PASSED, status.FAILED])),
            num_infra=Count("pk", filter=Q(status=status.INFRA_ERROR)),
            num_not_judged=Count("pk", filter=Q(status=status.NOT_JUDGED)),
        )
    }
    return (
        _arm(str(gate.baseline), gate.baseline_run_id, counts.get(gate.baseline_run_id, {})),
        _arm(str(gate.candidate), gate.candidate_run_id, counts.get(gate.candidate_run_id, {})),
    )


def _arm(title: str, run_id: int, row: Mapping[str, Any]) -> ArmProgress:
    judged, infra = row.get("num_judged", 0), row.get("num_infra", 0)
    not_judged = row.get("num_not_judged", 0)
    return ArmProgress(
        title=title,
        eval_run_id=run_id,
        num_done=judged + infra + not_judged,
        num_total=row.get("num_total", 0),
        num_passed=row.get("num_passed", 0),
        num_judged=judged,
        num_infra=infra,
        num_not_judged=not_judged,
    )


def _seconds_left(started_at: datetime, num_done: int, num_total: int) -> int | None:
    return seconds_left(started_at, database_now(), num_done, num_total)


def _limits(decision: Decision, what: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (each.state, _limit_text(what, each.limit, is_ratio=each.is_ratio))
        for each in decision.ceilings
        if each.what == what
    )


def _limit_text(what: str, limit: float, *, is_ratio: bool) -> str:
    if is_ratio:
        return f"+{100 * (limit - 1):.0f} %"
    return f"${limit:g}" if what == "cost" else f"{limit:g} s"


def _per_pass(arm: Arm) -> float | None:
    if arm.cost_usd is None or not arm.rate:
        return None
    return arm.cost_usd / arm.rate


def _ns(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds * 1_000_000
