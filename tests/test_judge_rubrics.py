"""Writing judges: what a rubric must have, and what never changes once written."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from agents.errors import JudgeError
from agents.judges.ask import request_judgements
from agents.judges.choose import labelled_sessions, random_sessions
from agents.judges.rubrics import Rubric, archive_judge, create_judge, write_judge_version
from agents.models import Judge, Judgement, JudgeVersion
from reviewdesk.people.models import User
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_label, make_project, make_session, make_user
from tests.judging import make_judge, make_judge_version, make_judgement
from traces.label_sets import ensure_label_set

pytestmark = pytest.mark.django_db
RUBRIC = Rubric(
    text="Pass where all is well.",
    model="judge-model",
    verdicts=[{"title": "Pass", "passes": True}, {"title": "Fail", "passes": False}],
)


def test_judge_has_a_first_version_and_is_recorded() -> None:
    by = person()
    version = write(by=by)
    assert (str(version), version.author) == ("Tone v1", by)
    assert version.verdicts[0] == {"key": "pass", "title": "Pass", "passes": True}
    event = version.judge.events.get()  # type: ignore[attr-defined]
    assert event.pgh_context.metadata["action"] == "create judge"


def test_next_version_leaves_the_first_as_it_was() -> None:
    first = write()
    second = write_judge_version(
        judge=first.judge, rubric=replace(RUBRIC, text="Stricter."), by=first.author
    )
    first.refresh_from_db()
    assert (first.rubric, second.number) == ("Pass where all is well.", 2)


def test_same_content_again_is_the_version_that_exists() -> None:
    first = write()
    assert write_judge_version(judge=first.judge, rubric=RUBRIC, by=first.author) == first


def test_database_refuses_to_change_a_written_version() -> None:
    version = write()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        JudgeVersion.objects.filter(pk=version.pk).update(rubric="Pass all.")


def test_database_refuses_a_verdict_of_what_failed() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    with pytest.raises(IntegrityError, match="failed_is_no_verdict"), transaction.atomic():
        make_judgement(version, session, status="failed", verdict="pass")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"text": " "}, "The rubric is empty"),
        ({"text": "x" * 20_001}, "The rubric has 20,001 characters"),
        ({"model": ""}, "Name the model"),
        ({"verdicts": []}, "One verdict at least must mean"),
        ({"verdicts": [{"title": "Yes", "passes": True}] * 2}, "a name of its own"),
        ({"verdicts": [{"title": "Yes", "passes": "maybe"}]}, "means pass, fail, or neither"),
        ({"parameters": {"messages": []}}, "'messages' is the desk's to set"),
        ({"model_base_url": "http://10.0.0.1/v1"}, "no endpoint of one of the project's agents"),
    ],
)
def test_rubric_that_cannot_be_used_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(JudgeError, match=problem):
        write(rubric=replace(RUBRIC, **changes))
    assert not Judge.objects.exists()


def test_endpoint_of_an_agent_of_the_project_may_be_asked() -> None:
    agent = make_agent(model_base_url="http://127.0.0.1:9/v1")
    rubric = replace(RUBRIC, model_base_url=agent.model_base_url)
    assert write(project=agent.project, rubric=rubric).model_base_url == agent.model_base_url


@pytest.mark.parametrize(
    ("question", "passes", "problem"),
    [
        ("mood", ["good"], "People are not asked 'mood'"),
        ("outcome", ["fine"], "'fine' is no answer to 'Outcome'"),
        ("outcome", [], "one at least, not all"),
    ],
)
def test_question_that_people_are_not_asked_is_refused(
    question: str, passes: list[str], problem: str
) -> None:
    with pytest.raises(JudgeError, match=problem):
        write(question=question, passes=passes)


def test_name_is_taken_once_in_a_project() -> None:
    first = write()
    with pytest.raises(JudgeError, match="There is a judge 'tone' already"):
        write(project=first.judge.project)


def test_archived_judge_is_not_asked_any_more() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    request_judgements(version=version, sessions=[session], by=None)
    archive_judge(judge=version.judge, reason="A better one is there.", by=person())
    version.judge.refresh_from_db()
    assert Judgement.objects.get().status == "failed"
    with pytest.raises(JudgeError, match="is archived"):
        request_judgements(version=version, sessions=[session], by=None)
    with pytest.raises(JudgeError, match="is archived"):
        write_judge_version(judge=version.judge, rubric=RUBRIC, by=person())


def test_archiving_takes_a_reason() -> None:
    with pytest.raises(JudgeError, match="Say why"):
        archive_judge(judge=make_judge(), reason=" ", by=person())


def test_labelled_and_random_sessions_share_none() -> None:
    version = make_judge_version()
    project = version.judge.project
    known, other = make_session(project), make_session(project)
    make_session(project, status="running")
    make_session(project, is_golden=True)
    make_session()
    make_label(known)
    assert list(labelled_sessions(version)) == [known]
    assert list(random_sessions(version)) == [other]


def test_what_was_judged_is_not_chosen_again_unless_it_failed() -> None:
    version = make_judge_version()
    done, failed = (make_session(version.judge.project) for _ in range(2))
    make_judgement(version, done)
    make_judgement(version, failed, status="failed", verdict="")
    assert list(random_sessions(version)) == [failed]


def person() -> User:
    return make_user(Role.REVIEWER)


def write(**overrides: Any) -> JudgeVersion:
    project = overrides.pop("project", None) or make_project()
    ensure_label_set(project)
    values: dict[str, Any] = {
        "name": "Tone",
        "question": "outcome",
        "passes": ["resolved"],
        "rubric": RUBRIC,
        "by": overrides.pop("by", None) or person(),
    }
    return create_judge(project=project, **{**values, **overrides})
