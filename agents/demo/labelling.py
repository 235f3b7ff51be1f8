"""The demo's labels: what the reviewers said of past sessions, and where they disagree."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection

from agents.demo.history import SEED, PastSession
from traces.models import LabelSet
from traces.records import from_ns

SHARE_LABELLED = 0.62
NUM_TWICE = 14
NUM_DISAGREEMENTS = 4
_COLUMNS = (
    "session_id, label_set_id, author_id, answers, first_wrong_span_id, comment, created_at, "
    "updated_at, completed_at"
)
# What a second reader may say of the same fault: the causes that people judge differently.
_SECOND_OPINIONS = {
    "K2": ("harmful", "The customer will rely on this. Worse than a small flaw."),
    "T5": ("harmful", "Nothing may be changed without a yes. To me that is harm."),
    "H1": ("partly", "Not needed, but the colleague can finish it: the customer is not lost."),
    "T2": ("harmful", "Money went where the customer did not want it."),
    "P3": ("not_resolved", "The customer has to come back for the rest."),
}


@dataclass(frozen=True)
class PastLabel:
    """A completed label before it is stored."""

    session: PastSession
    author: AbstractBaseUser
    answers: dict[str, Any]
    comment: str
    completed_at: datetime


def past_labels(
    *, sessions: Sequence[PastSession], authors: Sequence[AbstractBaseUser], now: datetime
) -> list[PastLabel]:
    """Return the labels of about 60 % of the sessions; some have two, a few of them disagree.

    Args:
        sessions: Oldest first; the newest are labelled least, failures most.
        authors: Two reviewers, then who else labels.
        now: Labels are completed before it.
    """
    rng = random.Random(SEED + 1)  # noqa: S311
    labels = []
    for position, session in enumerate(sessions):
        age = 1 - position / len(sessions)
        attention = 1.35 if session.verdict.fault else 0.9
        if rng.random() < SHARE_LABELLED * attention * (0.85 + 0.25 * age):
            author = rng.choices(authors, [5, 4, *([2] * (len(authors) - 2))])[0]
            labels.append(_label(session, author, rng, now))
    return sorted([*labels, *_second_labels(labels, authors, rng, now)], key=_completed_at)


def store_labels(
    *, labels: Sequence[PastLabel], label_set: LabelSet, session_ids: dict[str, UUID]
) -> None:
    """Write the labels with their own times; `session_ids` is by external id."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY traces_label ({_COLUMNS}) FROM STDIN") as copy,
    ):
        for label in labels:
            began_at = label.completed_at - timedelta(minutes=3)
            copy.write_row(
                [
                    session_ids[label.session.record.external_id],
                    label_set.pk,
                    label.author.pk,
                    json.dumps(label.answers),
                    label.session.wrong_span_id,
                    label.comment,
                    began_at,
                    label.completed_at,
                    label.completed_at,
                ]
            )


def _completed_at(label: PastLabel) -> datetime:
    return label.completed_at


def _label(
    session: PastSession, author: AbstractBaseUser, rng: random.Random, now: datetime
) -> PastLabel:
    fault = session.verdict.fault
    has_comment = fault is not None and rng.random() < 0.8
    return PastLabel(
        session=session,
        author=author,
        answers=_answers(session, session.verdict.outcome),
        comment=fault.comment if fault and has_comment else "",
        completed_at=_after(session, rng, now),
    )


def _answers(session: PastSession, outcome: str) -> dict[str, Any]:
    fault = session.verdict.fault
    answers: dict[str, Any] = {"outcome": outcome}
    if fault is None:
        return answers
    answers["severity"] = fault.severity
    # Until the prompt says otherwise, handing over cross customers is what the agent was told.
    answers["fault_owner"] = "evaluator" if fault.cause in {"H1", "B1"} else "agent"
    answers["primary_cause"] = fault.cause
    if session.verdict.others:
        answers["secondary_causes"] = list(session.verdict.others)
    return answers


def _second_labels(
    labels: Sequence[PastLabel],
    authors: Sequence[AbstractBaseUser],
    rng: random.Random,
    now: datetime,
) -> Iterator[PastLabel]:
    """Yield a second reviewer's labels: some with another outcome, the others the same."""
    reviewers = authors[:2]
    by_reviewer = [label for label in labels if label.author in reviewers]
    disputed = [
        label
        for label in by_reviewer
        if (fault := label.session.verdict.fault)
        and fault.cause in _SECOND_OPINIONS
        and _SECOND_OPINIONS[fault.cause][0] != label.answers["outcome"]
    ]
    different = disputed[-NUM_DISAGREEMENTS:]
    rest = [label for label in by_reviewer if label not in different]
    for label in [*different, *rng.sample(rest, min(NUM_TWICE - len(different), len(rest)))]:
        other = reviewers[1] if label.author == reviewers[0] else reviewers[0]
        fault = label.session.verdict.fault
        answers, comment = label.answers, ""
        if label in different and fault:
            outcome, comment = _SECOND_OPINIONS[fault.cause]
            answers = _answers(label.session, outcome)
        yield PastLabel(label.session, other, answers, comment, _after(label.session, rng, now))


def _after(session: PastSession, rng: random.Random, now: datetime) -> datetime:
    """Return when somebody has read the session: within two days, and before now."""
    ended_at = from_ns(max(span.end_ns for span in session.record.spans))
    return min(ended_at + timedelta(hours=rng.uniform(0.3, 40)), now - timedelta(minutes=2))
