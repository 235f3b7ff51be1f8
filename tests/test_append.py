"""Spans that come one by one end in their session, whatever order they come in."""

import pytest

from tests.factories import NOON_NS, SECOND, make_project, make_span
from traces.ingest.append import append_spans
from traces.models import Project, Session, Span, TotalsDue, Trace
from traces.records import IncomingSpan
from traces.refresh import drain

pytestmark = pytest.mark.django_db

TRACE = "a" * 32


def arriving(number: int = 1, at: int = 0, trace_id: str = TRACE, **overrides: object) -> IncomingSpan:
    """Make a span that arrives: fields of `IncomingSpan`, the others are the record's."""
    fields = {"session_key", "customer", "agent_name", "version_name", "title", "metadata"}
    said = {name: overrides.pop(name) for name in list(overrides) if name in fields}
    values = {"kind": "tool", "name": f"step-{number}", "span_id": f"{number:016x}", **overrides}
    return IncomingSpan(make_span(at=at, trace_id=trace_id, **values), **said)


def test_spans_of_a_trace_make_a_session() -> None:
    project = make_project()
    counts = append_spans(project=project, spans=[arriving(1), arriving(2, at=1)])
    assert (counts.spans, counts.repeated, counts.rejected) == (2, 0, 0)
    session = Session.objects.get(project=project)
    assert (session.source, session.external_id, session.spans.count()) == ("otlp", TRACE, 2)


def test_late_session_key_moves_spans() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1, at=5)])
    append_spans(project=project, spans=[arriving(2, at=9, session_key="talk-7")])
    append_spans(project=project, spans=[arriving(3, at=11)])
    session = Session.objects.get(project=project)
    assert (session.external_id, session.spans.count()) == ("talk-7", 3)
    assert session.first_ns == NOON_NS + 5 * SECOND


def test_totals_follow() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1, at=3, parent_id="f" * 16, status="error")])
    append_spans(project=project, spans=[arriving(2, agent_name="shop", metadata={"tag": 1})])
    assert drain() == 1
    session = Session.objects.get(project=project)
    assert (session.num_spans, session.num_errors, session.status) == (2, 1, "completed")
    assert (session.agent_name, session.metadata) == ("shop", {"tag": 1})
    assert not TotalsDue.objects.exists()
