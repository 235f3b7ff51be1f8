"""What a run of the desk did, put together for the checks that look at it."""

from collections.abc import Iterable, Sequence

from agents.demo.shop import DatabaseWorld
from agents.golden.checks import records_asked
from agents.golden.judgements import Check
from agents.golden.outcome import Outcome, cost_of, events_of, working_ms_of
from agents.models import Run
from traces.models import Session, Span


def outcome_of(*, run: Run, spans: Iterable[Span], checks: Sequence[Check]) -> Outcome:
    """Return what checks may look at. Two queries at most for each record that they name.

    Args:
        run: With session, agent and version.
        spans: Of its session, by start, as `evidence.spans_of` returns them.
        checks: Those that will be judged.
    """
    spans = list(spans)
    events, num_steps = events_of(spans)
    world = DatabaseWorld(run=run, dataset=run.agent.dataset)
    return Outcome(
        events=events,
        num_steps=num_steps,
        is_handed_over=run.session.status == Session.Status.HANDED_OVER,
        records={(kind, key): world.get(kind, key) for kind, key in records_asked(checks)},
        cost_usd=cost_of(spans),
        working_ms=working_ms_of(spans),
        customer=run.session.customer,
        instructions=str(run.version.config.get("system_prompt", "")),
    )
