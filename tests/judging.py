"""Judges, their versions and what they said, for tests."""

import itertools
from typing import Any

from agents.config import content_hash
from agents.models import Judge, Judgement, JudgeVersion
from tests.factories import make_label, make_project, make_session
from traces.models import Project, Session

VERDICTS = [
    {"key": "pass", "title": "Pass", "passes": True},
    {"key": "fail", "title": "Fail", "passes": False},
    {"key": "unclear", "title": "Unclear", "passes": None},
]
_numbers = itertools.count(1)


def make_judge(project: Project | None = None, **overrides: Any) -> Judge:
    """Make a judge that asks what people say of the outcome."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "slug": f"judge-{number}",
        "name": f"Judge {number}",
        "question": "outcome",
        "passes": ["resolved"],
    }
    return Judge.objects.create(project=project or make_project(), **{**values, **overrides})


def make_judge_version(judge: Judge | None = None, **overrides: Any) -> JudgeVersion:
    judge = judge or make_judge()
    values: dict[str, Any] = {
        "number": judge.versions.count() + 1,
        "rubric": "Pass where the customer has what they came for.",
        "model": "judge-model",
        "verdicts": VERDICTS,
        "content_hash": content_hash({"number": next(_numbers)}),
    }
    return JudgeVersion.objects.create(judge=judge, **{**values, **overrides})


def make_judgement(version: JudgeVersion, session: Session, **overrides: Any) -> Judgement:
    """Make a judgement that is done, with the verdict `pass` where none is given."""
    values = {"status": Judgement.Status.DONE, "verdict": "pass", "reason": "It went well."}
    return Judgement.objects.create(version=version, session=session, **{**values, **overrides})


def make_case(version: JudgeVersion, human: str, verdict: str, **session: Any) -> Judgement:
    """Make a session that a person has labelled `human` and the judge called `verdict`."""
    made = make_session(version.judge.project, **session)
    make_label(made, outcome=human)
    return make_judgement(version, made, verdict=verdict)


def make_cases(version: JudgeVersion, **counts: Any) -> None:
    """Make cases by `true_pass`, `false_fail`, `false_pass`, `true_fail`; the rest is theirs."""
    kinds = {
        "true_pass": ("resolved", "pass"),
        "false_fail": ("resolved", "fail"),
        "false_pass": ("harmful", "pass"),
        "true_fail": ("harmful", "fail"),
    }
    numbers = {kind: counts.pop(kind, 0) for kind in kinds}
    for kind, (human, verdict) in kinds.items():
        for _ in range(numbers[kind]):
            make_case(version, human, verdict, **counts)
