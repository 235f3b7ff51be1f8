"""Sessions that can be promoted, golden tests and eval runs for tests of the Golden screen."""

from typing import Any

from agents.golden.content import hash_of
from agents.golden.runner import evidence_hash_of
from agents.models import Agent, EvalResult, EvalRun, GoldenTest, Run, Version
from tests.factories import customer_span, make_session, model_span, tool_span
from tests.shop import CANCEL, LOOK, ORDER
from traces.models import Session
from traces.records import SpanRecord

CALLS_CANCEL = {"kind": "tool_called", "tool": CANCEL[0], "arguments": {"order_id": "#T1"}}
ASKS_FIRST = {"kind": "confirmed_before", "tool": CANCEL[0], "mentions": "order_id"}
INPUT = {"messages": [{"role": "user", "content": "Cancel #T1 please"}], "turns": ["Yes, please."]}


def hasty_spans() -> list[SpanRecord]:
    """Make a talk in which the agent cancels an order without asking first."""
    return [
        customer_span("Cancel #T1 please", at=0),
        model_span(None, at=1, calls=[{"id": "c1", "name": LOOK[0], "arguments": LOOK[1]}]),
        tool_span(*LOOK, result=ORDER, at=2),
        model_span(None, at=3, calls=[{"id": "c2", "name": CANCEL[0], "arguments": CANCEL[1]}]),
        tool_span(*CANCEL, result={**ORDER, "status": "cancelled"}, at=4),
        model_span("Your order #T1 is cancelled.", at=5),
        customer_span("Thank you.", at=6),
        model_span("You are welcome.", at=7),
    ]


def make_hasty_session(agent: Agent, **overrides: Any) -> tuple[Session, str]:
    """Store that talk; return it and the id of the span that cancels."""
    spans = hasty_spans()
    session = make_session(agent.project, spans=spans, agent_name=agent.slug, **overrides)
    return session, spans[4].span_id


def make_test(agent: Agent, **overrides: Any) -> GoldenTest:
    """Make a golden test without a source; overrides are its fields."""
    number = agent.golden_tests.count() + 1
    values: dict[str, Any] = {
        "slug": f"test-{number}",
        "title": f"Test {number}",
        "input": INPUT,
        "fixtures": [],
        "checks": [CALLS_CANCEL, ASKS_FIRST],
        "reason": "It happened.",
        **overrides,
    }
    digest = hash_of(values)
    return GoldenTest.objects.create(
        agent=agent, **{"content_hash": f"{digest[:56]}{number:08d}", **values}
    )


def make_eval_run(
    version: Version, tests: list[GoldenTest], verdicts: str = "p", **overrides: Any
) -> EvalRun:
    """Make a settled eval run without runs.

    `verdicts` are those of each test's repeats (p passed, f failed, e infrastructure error, u not
    judged, n not run), the same for all tests, or one such word per test with blanks between.
    """
    status = {
        "p": "passed", "f": "failed", "e": "infra_error", "u": "not_judged", "n": "pending",
    }  # fmt: skip
    words = verdicts.split() if " " in verdicts else [verdicts] * len(tests)
    is_clean = set("".join(words)) == {"p"}
    eval_run = EvalRun.objects.create(
        agent=version.agent,
        version=version,
        num_repeats=len(words[0]),
        evidence_hash=evidence_hash_of(
            version, [test.content_hash for test in tests], len(words[0])
        ),
        **{"status": "passed" if is_clean else "failed", **overrides},
    )
    for test, word in zip(tests, words, strict=True):
        for repeat, letter in enumerate(word, 1):
            EvalResult.objects.create(
                eval_run=eval_run,
                test=test,
                test_hash=test.content_hash,
                repeat=repeat,
                status=status[letter],
                checks=[
                    {"kind": "tool_called", "title": "calls", "passed": True, "found": "step 2"},
                    {"kind": "confirmed_before", "title": "asks", "passed": letter == "p",
                     "found": "step 4: the agent did not ask"},
                ] if letter in "pf" else [],
            )  # fmt: skip
    return eval_run


def run_all(eval_run: EvalRun, advance: Any) -> None:
    """Advance the runs of an eval run one after the other, in this process."""
    for run in Run.objects.filter(eval_result__eval_run=eval_run).order_by("created_at"):
        advance(run.pk)
