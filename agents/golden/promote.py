"""From a session that a person has judged to a golden test that keeps it from coming back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.text import slugify

from agents.errors import GoldenError
from agents.golden.check_proposals import holds_already, propose_checks
from agents.golden.content import (
    checked_about,
    checked_checks,
    checked_input,
    hash_of,
    known_tools,
    writes,
)
from agents.golden.evidence import spans_of
from agents.golden.judgements import Check
from agents.golden.outcome import Event, events_of, without_end_marks
from agents.golden.proposals import (
    Proposal,
    Recording,
    Turn,
    propose_fixtures,
    propose_input,
    propose_title,
)
from agents.golden.replay import Fixture
from agents.golden.versions import record_version
from agents.models import Agent, GoldenTest, Run, ShopRecord
from traces.models import Label, Session, Span

MAX_TURNS = 500  # the form has a field per turn, and Django reads 1,000 fields at most
_SLUG_LENGTH = 70
_RECORD_ARGUMENTS = {"order_id": "order", "user_id": "user", "product_id": "product"}
_DEFAULT_SEVERITY = GoldenTest.Severity.MAJOR


@dataclass(frozen=True)
class ProposedTest:
    """What a golden test of a session would hold; nothing of it is saved.

    Attributes:
        title: Cause and subject.
        messages: The conversation up to the customer's first message, as a run's input has it.
        turns: What the customer says then.
        fixtures: Recorded tool results.
        checks: With why each is proposed.
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
    fixtures: tuple[Fixture, ...]
    checks: tuple[Proposal, ...]
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
    )
    messages, turns = propose_input(recording)
    if not messages:
        raise GoldenError(
            "No customer says anything in this session, so there is nothing to run a test with."
        )
    if len(turns) > MAX_TURNS:
        raise GoldenError(
            f"The customer speaks {len(turns):,} times in this session; a golden test takes "
            f"{MAX_TURNS} turns at most. Promote a shorter session."
        )
    severity = label.answers.get("severity", "") if label else ""
    first_words = session.title or messages[-1]["content"]
    return ProposedTest(
        title=propose_title(recording, cause_title, first_words),
        messages=messages,
        turns=turns,
        fixtures=propose_fixtures(recording),
        checks=propose_checks(recording),
        severity=severity if severity in GoldenTest.Severity.values else _DEFAULT_SEVERITY,
        tags=(cause,) if cause else (),
        recording=recording,
        cause=cause,
        cause_title=cause_title,
        tools=known_tools(session.project_id) | {call.tool for call in recording.calls},
    )


def agent_of(session: Session) -> Agent | None:
    """Return the agent that a test of this session is for, or None if a person has to say.

    It is the agent that ran it here, or the project's agent of that name, or its only one.
    """
    run = Run.objects.select_related("agent").filter(session=session).first()
    if run is not None:
        return run.agent
    agents = list(Agent.objects.filter(project=session.project_id).order_by("name")[:50])
    named = [agent for agent in agents if session.agent_name in {agent.slug, agent.name}]
    if len(named) == 1:
        return named[0]
    return agents[0] if len(agents) == 1 else None


def cause_of(label: Label | None) -> tuple[str, str]:
    """Return code and name of the label's primary cause, empty where there is none."""
    return _choice(label, "primary_cause")


def promoted_test(*, session: Session, agent: Agent | None = None) -> GoldenTest | None:
    """Return the active test that was made of this session (for this agent), if there is one."""
    tests = GoldenTest.objects.filter(source_session=session, archived_at=None)
    if agent is not None:
        tests = tests.filter(agent=agent)
    return tests.select_related("agent").order_by("pk").first()


def missing_records(*, agent: Agent, recording: Recording) -> list[str]:
    """Return the records that the recording used and the agent's shop lacks, such as "order #A1".

    A run of the test would not find them, save where a fixture answers. One query.
    """
    used = {
        (kind, key)
        for call in recording.calls
        for name, kind in _RECORD_ARGUMENTS.items()
        if call.error is None and isinstance(key := call.arguments.get(name), str)
    }
    known = set(
        ShopRecord.objects.filter(
            dataset=agent.dataset, key__in=[key for _, key in used]
        ).values_list("kind", "key")
    )
    return [f"{kind} {key}" for kind, key in sorted(used - known)]


def promote_session(
    *,
    session: Session,
    label: Label | None,
    agent: Agent | None,
    title: str,
    checks: Sequence[Check],
    severity: str,
    tags: Sequence[str],
    reason: str,
    by: AbstractBaseUser,
    run_input: dict[str, Any] | None = None,
) -> GoldenTest:
    """Make a golden test of a session; a session that is one already gives that test.

    Args:
        session: An ended session of the agent's project.
        label: The label that says what was wrong; kept as the test's origin.
        agent: Whose runs it tests.
        title: What people call it.
        checks: As the reviewer left them, at least one.
        severity: A `GoldenTest.Severity` value.
        tags: Words to find it by.
        reason: Why this must not come back.
        by: Who promotes.
        run_input: The customer's part as the reviewer left it; None is as proposed.

    Raises:
        GoldenError: The session, the agent or a check cannot be used; the message says why.
    """
    if agent is None or agent.project_id != session.project_id:
        raise GoldenError("Choose the agent that the test is for: one of this project.")
    proposed = propose_test(session=session, label=label)
    about = checked_about(title=title, severity=severity, tags=tags, reason=reason)
    fixtures = [fixture.to_json() for fixture in proposed.fixtures]
    content: dict[str, Any] = {
        "input": checked_input(run_input or proposed.run_input),
        "fixtures": fixtures,
        "checks": checked_checks(checks, proposed.tools),
    }
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="promote"):
        Agent.objects.select_for_update().get(pk=agent.pk)
        if known := promoted_test(session=session, agent=agent):
            return known
        test = GoldenTest.objects.create(
            agent=agent,
            slug=_free_slug(agent, about["title"]),
            content_hash=hash_of(content),
            source_session=session,
            source_label=label,
            source_span_id=label.first_wrong_span_id if label else "",
            promoted_by_id=by.pk,
            **about,
            **content,
        )
        record_version(test=test, by=by)
    return test


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


def _free_slug(agent: Agent, title: str) -> str:
    wanted = slugify(title)[:_SLUG_LENGTH].strip("-") or "test"
    taken = set(
        GoldenTest.objects.filter(agent=agent, slug__startswith=wanted).values_list(
            "slug", flat=True
        )
    )
    if wanted not in taken:
        return wanted
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{wanted}-{n}") not in taken)
