"""What a golden test of a session would hold; nothing of it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.errors import GoldenError
from agents.golden.check_proposals import holds_already, propose_checks
from agents.golden.content import known_tools, writes
from agents.golden.evidence import spans_of
from agents.golden.judgements import Check
from agents.golden.outcome import Event, events_of, without_end_marks
from agents.golden.proposals import (
    Proposal,
    Recording,
    Turn,
    propose_expectations,
    propose_fixtures,
    propose_input,
    propose_title,
)
from agents.golden.replay import Fixture
from agents.models import GoldenTest
from traces.models import Label, Session, Span

MAX_TURNS = 500  # the form has a field per turn, and Django reads 1,000 fields at most
_DEFAULT_SEVERITY = GoldenTest.Severity.MAJOR


@dataclass(frozen=True)
class ProposedTest:
    """What a golden test of a session would hold; nothing of it is saved.

    Attributes:
        title: Cause and subject.
        messages: The conversation up to the customer's first message, as a run's input has it.
        turns: What the customer says then, up to the first wrong step.
        left_out: What the customer said after it.
        fixtures: Recorded tool results.
        checks: With why each is proposed.
        expectations: What must or must not be, in the reviewer's words.
        suite: A `GoldenTest.Suite` value.
        severity: As labelled.
        tags: The cause's code.
        recording: The session, read.
        cause: Code of the labelled primary cause, or empty.
        cause_title: Its name, or empty.
        tools: Names that its checks may use.
    """

    title: str
    messages: list[dict[str, str]]
    turns: tuple[Turn, ...]
    left_out: tuple[str, ...]
    fixtures: tuple[Fixture, ...]
    checks: tuple[Proposal, ...]
    expectations: list[dict[str, str]]
    suite: str
    severity: str
    tags: tuple[str, ...]
    recording: Recording
    cause: str
    cause_title: str
    tools: frozenset[str]

    @property
    def run_input(self) -> dict[str, Any]:
        """Return the input of the test's runs."""
        return {"messages": self.messages, "turns": [turn.content for turn in self.turns]}

    @property
    def whole_input(self) -> dict[str, Any]:
        """Return the input with what the customer said after the first wrong step, too."""
        turns = [*(turn.content for turn in self.turns), *self.left_out]
        return {"messages": self.messages, "turns": turns}

    def lets_mistake_pass(self, checks: Sequence[Check]) -> bool:
        """Say whether a run that repeats the labelled mistake would pass all these checks."""
        is_mistake = bool(self.cause) and not self.recording.is_resolved
        return is_mistake and all(holds_already(self.recording, check) for check in checks)


def propose_test(*, session: Session, label: Label | None) -> ProposedTest:
    """Return what a golden test of this session would hold. Four queries at most.

    Raises:
        GoldenError: The session is still running, or its customer says nothing or too much.
    """
    if session.status in {Session.Status.RUNNING, Session.Status.WAITING}:
        raise GoldenError(
            f"This session is {session.get_status_display()}; it can be promoted when it has ended."
        )
    cause, cause_title = cause_of(label)
    events, num_steps = events_of(spans_of(session))
    if session.source == Session.Source.TAU2:
        events = without_end_marks(events)
    recording = Recording(
        events=events,
        num_steps=num_steps,
        is_handed_over=session.status == Session.Status.HANDED_OVER,
        wrong=_first_wrong(session, label, events),
        cause=cause,
        is_resolved=label is not None and label.answers.get("outcome") == "resolved",
        writes=writes,
        comment=label.comment if label else "",
    )
    checks = propose_checks(recording)
    script = propose_input(recording, [proposal.check for proposal in checks])
    if not script.messages:
        raise GoldenError(
            "No customer says anything in this session, so there is nothing to run a test with."
        )
    if len(script.turns) > MAX_TURNS:
        raise GoldenError(
            f"The customer speaks {len(script.turns):,} times in this session; a golden test takes "
            f"{MAX_TURNS} turns at most. Promote a shorter session."
        )
    severity = label.answers.get("severity", "") if label else ""
    first_words = session.title or script.messages[-1]["content"]
    suite = GoldenTest.Suite.COMMON if recording.is_resolved else GoldenTest.Suite.REGRESSION
    return ProposedTest(
        title=propose_title(recording, cause_title, first_words),
        messages=script.messages,
        turns=script.turns,
        left_out=script.left_out,
        fixtures=propose_fixtures(recording),
        checks=checks,
        expectations=propose_expectations(recording.comment, is_resolved=recording.is_resolved),
        suite=suite.value,
        severity=severity if severity in GoldenTest.Severity.values else _DEFAULT_SEVERITY,
        tags=(cause,) if cause else (),
        recording=recording,
        cause=cause,
        cause_title=cause_title,
        tools=known_tools(session.project_id) | {call.tool for call in recording.calls},
    )


def cause_of(label: Label | None) -> tuple[str, str]:
    """Return code and name of the label's primary cause, empty where there is none."""
    return _choice(label, "primary_cause")


def _first_wrong(session: Session, label: Label | None, events: Sequence[Event]) -> Event | None:
    """Return the event of the labelled span; of a model's step that only called, its first call."""
    if label is None or not label.first_wrong_span_id:
        return None
    span_id = label.first_wrong_span_id
    if exact := next((event for event in events if event.span_id == span_id), None):
        return exact
    spans = Span.objects.filter(session=session)
    start = spans.filter(span_id=span_id).values_list("start_ns", flat=True).first()
    after = (
        spans.filter(start_ns__gt=start).order_by("start_ns") if start is not None else spans.none()
    )
    later = after.filter(kind=Span.Kind.TOOL).values_list("span_id", flat=True).first()
    return next((event for event in events if event.span_id == later), None)


def _choice(label: Label | None, question: str) -> tuple[str, str]:
    """Return code and title of a label's answer, empty where there is none."""
    answer = label.answers.get(question) if label else None
    if label is None or not isinstance(answer, str):
        return "", ""
    for asked in label.label_set.questions:
        for choice in asked["choices"] if asked["key"] == question else ():
            if choice["key"] == answer:
                return choice.get("code") or answer, choice.get("short") or choice["title"]
    return answer, ""
