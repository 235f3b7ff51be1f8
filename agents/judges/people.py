"""What people say to a judge's question: their completed labels, as pass or fail."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.models import Judge

LabelRow = tuple[UUID, int | None, dict[str, Any]]


@dataclass(frozen=True)
class HumanVerdict:
    """What the people who labelled a session say together.

    Attributes:
        passes: None where some say pass and some say fail: no measure for a judge.
        cause: The primary cause of the label completed last, a code; empty for none.
        answer: That label's answer.
    """

    passes: bool | None
    cause: str
    answer: str


def verdicts_of_people(judge: Judge, labels: Iterable[LabelRow]) -> dict[UUID, HumanVerdict]:
    """Return what people say, by session, of those with an answer to the judge's question.

    Args:
        judge: One without a question gives nothing.
        labels: (session, author, answers) of completed labels, oldest first.
    """
    found: dict[UUID, HumanVerdict] = {}
    for session_id, _, answers in labels if judge.question else ():
        passes = _passes(answers.get(judge.question), judge.passes)
        if passes is None:
            continue
        before = found.get(session_id)
        agreed = passes if before is None or before.passes == passes else None
        cause = answers.get("primary_cause") or ""
        found[session_id] = HumanVerdict(agreed, str(cause), _text(answers[judge.question]))
    return found


def _passes(answer: Any, passing: list[str]) -> bool | None:
    """Say whether an answer means "pass"; where several were chosen, whether all do."""
    chosen = answer if isinstance(answer, list) else [answer]
    given = [each for each in chosen if each not in (None, "")]
    return all(each in passing for each in given) if given else None


def _text(answer: Any) -> str:
    return ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)
