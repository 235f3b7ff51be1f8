"""The Judges pages: what they show, what they do, and who may."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Judge, Judgement, JudgeVersion
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_label, make_project, make_session, make_user, sign_in
from tests.judging import make_case, make_cases, make_judge, make_judge_version, make_judgement
from traces.label_sets import ensure_label_set
from traces.models import Label, Project, QueueItem

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
RUBRIC = {
    "rubric": "Pass where all is well.",
    "model": "judge-model",
    "verdict_1": "Pass",
    "means_1": "pass",
    "verdict_2": "Fail",
    "means_2": "fail",
    "verdict_3": "",
    "means_3": "",
}
NEW = {"name": "Tone", "question": "outcome", "passes": ["outcome:resolved"], **RUBRIC}


def at(version: JudgeVersion, action: str = "") -> str:
    path = f"/p/{version.judge.project.slug}/golden/judges/{version.judge.slug}/v{version.number}/"
    return f"{path}{action}/" if action else path


def list_of(project: Project) -> str:
    return f"/p/{project.slug}/golden/judges/"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def member(version: JudgeVersion, role: str = Role.REVIEWER) -> Client:
    return client_as(role, version.judge.project)


def test_list_says_who_is_trusted_and_why_not() -> None:
    project = make_project()
    good = make_judge_version(make_judge(project, name="Good"))
    make_judge_version(make_judge(project, name="New"))
    make_cases(good, true_pass=20, true_fail=20)
    page = text_of(client_as(Role.VIEWER, project).get(list_of(project)))
    assert "<b>1 of 2 judges is trusted</b>; what the other says is advisory" in page
    assert "20 of 20" in page
    assert "To write judges takes the role" in page


def test_list_without_a_judge_says_what_one_is() -> None:
    project = make_project()
    page = text_of(client_as(Role.REVIEWER, project).get(list_of(project)))
    assert "No judge so far" in page
    assert f"{list_of(project)}new/" in page


def test_list_takes_as_many_queries_for_many_judges() -> None:
    project = make_project()
    ensure_label_set(project)
    client = client_as(Role.VIEWER, project)
    nums = []
    for more in (1, 5):
        for _ in range(more):
            make_cases(make_judge_version(make_judge(project)), true_pass=1, false_pass=1)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(list_of(project))
        nums.append(len(queries))
    assert nums[0] == nums[1]


def test_page_shows_table_slices_and_disagreements() -> None:
    version = make_judge_version()
    make_case(version, "harmful", "pass", agent_name="returns")
    make_case(version, "resolved", "fail")
    page = text_of(member(version).get(at(version)))
    assert "is advisory: what it says gates nothing" in page
    assert "returns" in page
    assert page.index("flatters</span>", page.index("Where they disagree")) < page.rindex(
        "too strict"
    )


def test_page_says_whose_labels_do_not_count() -> None:
    version = make_judge_version(author=make_user(name="Ada Lindqvist"))
    for _ in range(2):
        make_label(make_case(version, "resolved", "pass").session, version.author)
    assert "Labels by Ada Lindqvist, who wrote this version, do not count." in text_of(
        member(version).get(at(version))
    )
    Label.objects.exclude(author=version.author).delete()
    page = text_of(member(version).get(at(version)))
    assert "do not count: 2 sessions that nobody else has labelled are left out." in page


def test_page_takes_as_many_queries_for_many_cases() -> None:
    version = make_judge_version()
    ensure_label_set(version.judge.project)
    client, nums = member(version), []
    for more in (1, 8):
        make_cases(version, true_pass=more, false_pass=more)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(at(version)).status_code == 200
        nums.append(len(queries))
    assert nums[0] == nums[1]


def test_page_is_cut_by_cause_where_asked() -> None:
    version = make_judge_version()
    ensure_label_set(version.judge.project)
    session = make_session(version.judge.project)
    make_label(session, outcome="harmful", primary_cause="T5")
    make_judgement(version, session)
    page = text_of(member(version).get(at(version) + "?by=cause"))
    assert "T5 " in page
    assert "A cause is named only where people fail a session" in page


def test_fragment_is_the_page_without_its_shell() -> None:
    version = make_judge_version()
    page = text_of(member(version).get(at(version), headers=FRAGMENT))
    assert page.lstrip().startswith('<div id="judge"')
    assert 'hx-trigger="every 2s"' not in page


def test_page_follows_judgements_that_are_to_come() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    row = make_judgement(version, session, status="pending", verdict="")
    client = member(version)
    assert 'hx-trigger="every 2s"' in text_of(client.get(at(version)))
    assert "1 to come" in text_of(client.get(at(version, "state")))
    Judgement.objects.filter(pk=row.pk).update(status="done", verdict="pass")
    page = text_of(client.get(at(version, "state")))
    assert "Show what it changes" in page
    assert "every 2s" not in page
    assert client.get(at(version, "state").replace("/v1/", "/v9/")).status_code == 404


def test_words_of_a_judge_are_escaped() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    make_label(session, outcome="harmful")
    make_judgement(version, session, reason="<script>alert(1)</script>")
    page = text_of(member(version).get(at(version)))
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_stranger_finds_nothing() -> None:
    version = make_judge_version()
    stranger = sign_in(make_user())
    for path in (list_of(version.judge.project), at(version)):
        assert stranger.get(path).status_code == 404


def test_version_and_judge_that_are_not_there_are_404() -> None:
    version = make_judge_version()
    client = member(version)
    assert client.get(at(version).replace("/v1/", "/v9/")).status_code == 404
    assert client.get(list_of(version.judge.project) + "nobody/").status_code == 404


@pytest.mark.parametrize("action", ["ask", "stop", "relabel"])
def test_actions_take_post_alone(action: str) -> None:
    version = make_judge_version()
    assert member(version).get(at(version, action)).status_code == 405


@pytest.mark.parametrize(("action", "role"), [("ask", "support"), ("stop", "viewer")])
def test_others_may_not_ask(action: str, role: str) -> None:
    version = make_judge_version()
    answer = member(version, role).post(at(version, action), {"which": "random", "number": 5})
    assert answer.status_code == 403


def test_judge_is_written_from_the_form() -> None:
    project = make_project()
    client = client_as(Role.ENGINEER, project)
    assert client.get(f"{list_of(project)}new/").status_code == 200
    answer = client.post(f"{list_of(project)}new/", NEW)
    version = JudgeVersion.objects.get()
    assert answer["Location"] == f"{list_of(project)}tone/"
    assert (version.judge.passes, len(version.verdicts)) == (["resolved"], 2)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rubric": " "}, "The rubric is empty"),
        ({"parameters": "[1]"}, "The parameters must be a JSON object."),
        ({"parameters": "{"}, "The parameters are no JSON"),
        ({"passes": []}, "one at least, not all"),
        ({"means_2": "pass"}, "One verdict at least must mean"),
        ({"endpoint": "http://10.0.0.1/"}, "not one of the available choices"),
    ],
)
def test_form_says_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    project = make_project()
    client = client_as(Role.ENGINEER, project)
    answer = client.post(f"{list_of(project)}new/", {**NEW, **changes}, headers=FRAGMENT)
    assert answer.status_code == 422
    assert problem in text_of(answer)
    assert not Judge.objects.exists()


def test_next_version_begins_with_the_last_one() -> None:
    version = make_judge_version()
    client, path = member(version), at(version).replace("/v1/", "/edit/")
    assert version.rubric in text_of(client.get(path))
    answer = client.post(path, {**RUBRIC, "rubric": "Stricter."})
    assert answer["Location"].endswith("/v2/")
    assert version.judge.versions.get(number=2).rubric == "Stricter."


def test_random_part_of_the_unlabelled_sessions_is_asked_about() -> None:
    version = make_judge_version()
    for _ in range(4):
        make_session(version.judge.project)
    make_label(make_session(version.judge.project))
    member(version).post(at(version, "ask"), {"which": "random", "number": 3})
    assert Judgement.objects.filter(status="pending").count() == 3
    member(version).post(at(version, "ask"), {"which": "labelled", "number": 3})
    assert Judgement.objects.filter(status="pending").count() == 4


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("", "Say how many sessions."),
        ("0", "one session at least"),
        ("9999", "1,000 sessions at most"),
        ("x", "as a number"),
    ],
)
def test_number_that_cannot_be_asked_about_is_refused(number: str, problem: str) -> None:
    version = make_judge_version()
    answer = member(version).post(at(version, "ask"), {"which": "random", "number": number})
    assert answer.status_code == 422
    assert problem in text_of(answer)


def test_what_is_to_come_is_taken_back() -> None:
    version = make_judge_version()
    make_judgement(version, make_session(version.judge.project), status="pending", verdict="")
    member(version).post(at(version, "stop"))
    assert Judgement.objects.get().status == "failed"


def test_disagreements_are_labelled_again_from_a_queue() -> None:
    version = make_judge_version()
    case = make_case(version, "harmful", "pass")
    make_case(version, "resolved", "pass")
    answer = member(version).post(at(version, "relabel"))
    assert answer["Location"].startswith(
        f"/p/{version.judge.project.slug}/sessions/{case.session_id}/?q=queue"
    )
    assert QueueItem.objects.get().session_id == case.session_id


def test_nothing_is_labelled_again_where_they_agree() -> None:
    version = make_judge_version()
    answer = member(version).post(at(version, "relabel"))
    assert answer.status_code == 422
    assert "agree on every session" in text_of(answer)


def test_judge_is_archived_with_a_reason_alone() -> None:
    version = make_judge_version()
    path = at(version).replace("/v1/", "/archive/")
    client = member(version)
    refused = client.post(path, {"reason": ""})
    assert refused.status_code == 422
    assert "Say why the judge is put away" in text_of(refused)
    assert client.post(path, {"reason": "A better one is there."}).status_code == 303
    page = text_of(client.get(list_of(version.judge.project) + "?archived=1"))
    assert "archived" in page
    assert "Write the first judge" in text_of(client.get(list_of(version.judge.project)))


def test_session_page_says_advisory_on_what_an_untrusted_judge_says() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    make_judgement(version, session, reason="Step 4 is fine.")
    make_judgement(
        make_judge_version(make_judge(version.judge.project)),
        session,
        status="failed",
        verdict="",
        error="No verdict, asked twice.",
    )
    page = text_of(member(version).get(f"/p/{session.project.slug}/sessions/{session.pk}/"))
    assert "2 judgements by a model" in page
    assert page.count("advisory</span>") == 2
    assert "no verdict</span>" in page
