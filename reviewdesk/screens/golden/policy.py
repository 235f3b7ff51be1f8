"""The gate's rules as people read them: each with its value, and what a proposal changes."""

from dataclasses import dataclass
from typing import Any

from agents.gate.config import HARD_GATES, GateConfig
from agents.models import GatePolicy
from traces.models import Project

MAX_HISTORY = 50


@dataclass(frozen=True)
class Rule:
    """A rule's key in `GateConfig`, its name, and what it does."""

    key: str
    title: str
    about: str


RULES = (
    Rule(
        "margin_points",
        "Margin, points",
        "The most that the pass rate may drop; the gate passes once a bigger drop is ruled out.",
    ),
    Rule("confidence", "Confidence", "Of the interval, over all looks together."),
    Rule(
        "looks",
        "Repeats at each look",
        "While nothing is decided, repeats are added up to the next; the last is the budget.",
    ),
    Rule(
        "max_runs", "Runs at most", "Of both versions together; looks that take more are left out."
    ),
    Rule(
        "max_infra_share",
        "Share of runs without a verdict",
        "Infrastructure errors and runs that nothing decided together; a gate with more is void.",
    ),
    Rule("critical_repeats", "Repeats of a critical test", "Every one of them has to pass."),
    Rule("hard_gates", "Never allowed", "Seen twice in the same test, it fails the gate."),
    Rule("max_cost_ratio", "Cost, times the baseline’s", "Mean cost of a run."),
    Rule("max_latency_ratio", "Time worked, times the baseline’s", "Mean of a run."),
    Rule("max_cost_usd", "Cost of a run, US dollars", "Mean of a run."),
    Rule("max_latency_seconds", "Time worked, seconds", "Mean of a run."),
    Rule(
        "slice_by", "Parts looked at", "Each with enough tests, corrected for their number (Holm)."
    ),
    Rule("min_slice_tests", "Tests that a part needs", "Smaller parts are not looked at."),
)


@dataclass(frozen=True)
class RuleRow:
    """A rule with its value in words, and what it would be."""

    rule: Rule
    value: str
    proposed: str

    @property
    def is_changed(self) -> bool:
        """Say whether the proposal changes it."""
        return self.value != self.proposed


@dataclass(frozen=True)
class Policies:
    """A project's rules: those that hold, those that wait, and those before.

    Attributes:
        active: None: the defaults hold.
        config: The thresholds that hold now.
    """

    active: GatePolicy | None
    config: GateConfig
    waiting: GatePolicy | None
    history: tuple[GatePolicy, ...]

    @property
    def name(self) -> str:
        """Return what holds, in words."""
        return f"Rules {self.active.number}" if self.active else "The defaults"

    @property
    def rows(self) -> list[RuleRow]:
        """Return every rule as it holds, beside what is proposed; what would change comes first."""
        waiting = self.waiting
        rows = rule_rows(self.config, GateConfig.from_json(waiting.config) if waiting else None)
        return sorted(rows, key=lambda row: not row.is_changed)


def read_policies(project: Project) -> Policies:
    """Return a project's rules. One query."""
    found = GatePolicy.objects.filter(project=project).select_related("proposed_by", "decided_by")
    rows = tuple(found.order_by("-number")[:MAX_HISTORY])
    active = next((row for row in rows if row.status == GatePolicy.Status.ACTIVE), None)
    return Policies(
        active=active,
        config=GateConfig.from_json(active.config) if active else GateConfig(),
        waiting=next((row for row in rows if row.status == GatePolicy.Status.PROPOSED), None),
        history=tuple(row for row in rows if row.status != GatePolicy.Status.PROPOSED),
    )


def rule_rows(config: GateConfig, proposed: GateConfig | None = None) -> list[RuleRow]:
    """Return every rule with its value, and with the proposed one where there is one."""
    return [
        RuleRow(
            rule,
            value_text(rule.key, getattr(config, rule.key)),
            value_text(rule.key, getattr(proposed or config, rule.key)),
        )
        for rule in RULES
    ]


def value_text(key: str, value: Any) -> str:
    """Return a threshold as people read it."""
    if value is None:
        return "no ceiling"
    if key == "hard_gates":
        return ", ".join(HARD_GATES[each] for each in value if each in HARD_GATES) or "nothing"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or "none"
    if key in {"confidence", "max_infra_share"}:
        return f"{100 * value:g} %"
    if key.endswith("_ratio"):
        return f"{value:g} times"
    return f"${value:g}" if key == "max_cost_usd" else f"{value:,g}"
