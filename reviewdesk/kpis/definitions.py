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
        source: The tables it is read from; never raw spans.
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
