"""Every KPI of the desk, defined once: what it is, how it is counted, and what is aimed at."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "usd", "seconds"]


@dataclass(frozen=True)
class Kpi:
    """A number that people steer by.

    Attributes:
        key: Names it in code.
        title: As the tile says it.
        formula: How it is counted, in words.
        unit: `share` is 0-1, `usd` US dollars, `seconds` seconds.
        source: The tables it is read from; spans only of a bounded number of runs.
        target: What is aimed at: at least that where higher is better, else at most.
        is_higher_better: Which way is good.
        counted: What `n` counts.
        min_n: What it takes to show a number; with fewer the interval says too little.
        min_point: What it takes to show a week in a chart, whose band says how little it is.
    """

    key: str
    title: str
    formula: str
    unit: Unit
    source: str
    target: float
    is_higher_better: bool
    counted: str
    min_n: int = 30
    min_point: int = 8


TASK_SUCCESS = Kpi(
    key="task_success",
    title="Task success",
    formula="Sessions labelled “resolved”, of all labelled sessions that started in the period; "
    "where several people labelled one, the label completed last counts.",
    unit="share",
    source="sessions, completed labels",
    target=0.85,
    is_higher_better=True,
    counted="labelled sessions",
)
FAILED_STEPS = Kpi(
    key="failed_steps",
    title="Sessions with a failed step",
    formula="Sessions with at least one failed model or tool call, at any depth, of all sessions "
    "that started in the period and have ended.",
    unit="share",
    source="sessions",
    target=0.10,
    is_higher_better=False,
    counted="ended sessions",
)
COST_PER_SESSION = Kpi(
    key="cost_per_session",
    title="Cost per session",
    formula="Mean cost of the model calls of sessions that started in the period and have ended; "
    "sessions whose cost is unknown are left out.",
    unit="usd",
    source="sessions",
    target=0.02,
    is_higher_better=False,
    counted="ended sessions of known cost",
)
DECISION_TIME = Kpi(
    key="decision_time",
    title="Time to decide a call",
    formula="Median time from a tool call's question to a person's answer, for calls asked in the "
    "period and decided by a person; expired ones are left out.",
    unit="seconds",
    source="tool approvals",
    target=900,
    is_higher_better=False,
    counted="decided calls",
    min_n=10,
    min_point=3,
)
KPIS = (TASK_SUCCESS, FAILED_STEPS, COST_PER_SESSION, DECISION_TIME)

OVER_BUDGET = Kpi(
    key="over_budget",
    title="Ended over a limit",
    formula="Runs that ended over a limit of their version or a budget of the day, of the runs of "
    "the last 30 days that have ended.",
    unit="share",
    source="runs",
    target=0.02,
    is_higher_better=False,
    counted="ended runs",
)
NEEDS_REVIEW = Kpi(
    key="needs_review",
    title="Parked for review",
    formula="Runs that wait for a person because nobody knows whether a call happened, of the runs "
    "of the last 30 days.",
    unit="share",
    source="runs",
    target=0.01,
    is_higher_better=False,
    counted="runs",
)
FALLBACKS = Kpi(
    key="fallbacks",
    title="Answered by the fallback",
    formula="Model calls that the version's second model answered because the first one failed or "
    "took too long, of all model calls that were answered.",
    unit="share",
    source="spans of model calls",
    target=0.05,
    is_higher_better=False,
    counted="answered model calls",
)
FAILED_ATTEMPTS = Kpi(
    key="failed_attempts",
    title="Failed model attempts",
    formula="Attempts of model calls that failed (refused, limited, timed out or away), of all "
    "attempts that have ended.",
    unit="share",
    source="spans of model calls",
    target=0.05,
    is_higher_better=False,
    counted="attempts",
)
VIOLATIONS = Kpi(
    key="violations",
    title="Policy violations",
    formula="Tool calls refused because the tool is off, not given to the agent or not offered by "
    "its version, of all tool calls.",
    unit="share",
    source="spans of tool calls",
    target=0.005,
    is_higher_better=False,
    counted="tool calls",
)
INVALID_CALLS = Kpi(
    key="invalid_calls",
    title="Invalid calls",
    formula="Tool calls whose arguments do not fit the tool's schema, or of a tool that is not "
    "there, of all tool calls; the model is told what is wrong.",
    unit="share",
    source="spans of tool calls",
    target=0.02,
    is_higher_better=False,
    counted="tool calls",
)
AGENT_KPIS = (OVER_BUDGET, NEEDS_REVIEW, FALLBACKS, FAILED_ATTEMPTS, VIOLATIONS, INVALID_CALLS)
