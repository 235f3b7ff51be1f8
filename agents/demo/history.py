"""The demo's past weeks: which customer met which version when, as sessions and their verdicts."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents.config import VersionConfig
from agents.demo.customers import CustomerTask, everyday_tasks
from agents.demo.play import Played, play
from agents.demo.records import Records
from agents.demo.shop import MemoryWorld
from agents.demo.verdicts import Verdict, judge
from agents.models import Step
from traces.models import Session, Span
from traces.pricing import cost_of
from traces.records import SessionRecord, SpanRecord, to_ns

NUM_SESSIONS = 300
SEED = 5
_MS = 1_000_000
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Era:
    """The time in which a version was live.

    Attributes:
        days_ago: When it began and ended, in days before now.
        num_sessions: How many customers it met.
    """

    version: int
    days_ago: tuple[float, float]
    num_sessions: int


ERAS = (
    Era(1, (35, 30), 26),
    Era(2, (30, 23), 58),
    Era(3, (23, 16.5), 62),
    Era(4, (16.5, 9), 70),
    Era(5, (9, 0.02), 84),
)


@dataclass(frozen=True)
class PastSession:
    """A session of the demo's past.

    Attributes:
        record: As it is stored.
        verdict: What a careful reader says of it.
        version: Number of the version.
    """

    task: CustomerTask
    version: int
    record: SessionRecord
    verdict: Verdict

    @property
    def wrong_span_id(self) -> str:
        """Return the span of the first wrong step, or empty."""
        fault = self.verdict.fault
        return span_id_of(self.record.external_id, fault.index + 2) if fault else ""


def past_sessions(
    *, records: Records, configs: Sequence[VersionConfig], now: datetime
) -> list[PastSession]:
    """Return the sessions of the last five weeks, oldest first; always the same, but for `now`.

    Args:
        records: The shop.
        configs: Of versions 1, 2, ….
        now: The sessions end before it.
    """
    rng = random.Random(SEED)  # noqa: S311
    tasks = everyday_tasks(records, sum(era.num_sessions for era in ERAS), SEED)
    sessions: list[PastSession] = []
    for era in ERAS:
        config = configs[era.version - 1]
        for start in _starts(era, now, rng):
            task = tasks.pop()
            played = play(run_input=task.run_input, config=config, world=MemoryWorld(records))
            number = len(sessions) + 1
            record = _record(f"demo-{number:03d}", task, era.version, config, played, start)
            sessions.append(PastSession(task, era.version, record, judge(task, played)))
    return sessions


def span_id_of(external_id: str, position: int) -> str:
    """Return the id of a session's span: 0 is the root, 1 the first message, then the steps."""
    return hashlib.sha256(f"{external_id}:{position}".encode()).hexdigest()[:16]


def _starts(era: Era, now: datetime, rng: random.Random) -> list[datetime]:
    """Return times in the era, more of them by day and in the week."""
    first, last = era.days_ago
    starts: list[datetime] = []
    while len(starts) < era.num_sessions:
        start = now - timedelta(days=rng.uniform(last, first))
        busy = (1.0 if start.weekday() < 5 else 0.45) * (1.0 if 7 <= start.hour < 21 else 0.15)
        if rng.random() < busy:
            starts.append(start)
    return sorted(starts)


def _record(
    external_id: str,
    task: CustomerTask,
    version: int,
    config: VersionConfig,
    played: Played,
    start: datetime,
) -> SessionRecord:
    spans = tuple(_spans(external_id, task, config, played, to_ns(start)))
    return SessionRecord(
        source=Session.Source.DEMO,
        external_id=external_id,
        status=_status(played),
        status_reason=played.error,
        agent_name="shop-support",
        version_name=f"v{version}",
        customer=task.customer,
        spans=spans,
        metadata={"task": task.key},
    )


def _status(played: Played) -> str:
    if played.error:
        return Session.Status.FAILED
    return Session.Status.HANDED_OVER if played.is_handed_over else Session.Status.COMPLETED


def _spans(
    external_id: str, task: CustomerTask, config: VersionConfig, played: Played, start_ns: int
) -> Iterator[SpanRecord]:
    rng = random.Random(external_id)  # noqa: S311
    root = span_id_of(external_id, 0)
    inner = [
        SpanRecord(
            span_id=span_id_of(external_id, 1),
            parent_id=root,
            kind=Span.Kind.CUSTOMER,
            name="customer",
            start_ns=start_ns + 1,
            output={"content": task.first},
            attributes={"given": True},
        )
    ]
    at_ns = start_ns + 2 * _MS
    for step in played.steps:
        if step.kind == Step.Kind.CUSTOMER:
            at_ns += int(rng.uniform(6, 75) * _SECOND)
        span = _span(external_id, root, config, step, at_ns, rng)
        inner.append(span)
        at_ns = span.end_ns + rng.randrange(1, 9) * _MS
    is_failed = bool(played.error)
    yield SpanRecord(
        span_id=root,
        kind=Span.Kind.AGENT,
        name="shop-support",
        start_ns=start_ns,
        duration_ns=inner[-1].end_ns - start_ns,
        status=Span.Status.ERROR if is_failed else Span.Status.OK,
        status_message=played.error,
    )
    yield from inner


def _span(
    external_id: str,
    root: str,
    config: VersionConfig,
    step: Step,
    start_ns: int,
    rng: random.Random,
) -> SpanRecord:
    is_model = step.kind == Step.Kind.MODEL
    is_failed = step.status == Step.Status.FAILED
    attributes: dict[str, Any] = {"step": step.index}
    if step.kind == Step.Kind.TOOL:
        attributes |= {"call_id": step.call_id, "level": "autonomous"}
    return SpanRecord(
        span_id=span_id_of(external_id, step.index + 2),
        parent_id=root,
        kind=Span.Kind(str(step.kind)),
        name=step.name,
        start_ns=start_ns,
        duration_ns=_duration_ns(step, rng),
        status=Span.Status.ERROR if is_failed else Span.Status.OK,
        status_message=str((step.response or {}).get("error", "")),
        model=config.model if is_model else "",
        input_tokens=step.input_tokens,
        output_tokens=step.output_tokens,
        cost_usd=cost_of(config.model, step.input_tokens, step.output_tokens) if is_model else None,
        input=step.request or None,
        output=step.response,
        attributes=attributes,
    )


def _duration_ns(step: Step, rng: random.Random) -> int:
    """Return a plausible time: a model's grows with what it writes."""
    if step.kind == Step.Kind.MODEL:
        return int((420 + 11 * (step.output_tokens or 0)) * rng.uniform(0.75, 1.5) * _MS)
    if step.kind == Step.Kind.TOOL:
        return int(rng.uniform(18, 160) * _MS)
    return 0
