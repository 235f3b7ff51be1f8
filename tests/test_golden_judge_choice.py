"""Choosing a judge for a check in the golden test editor."""

import pytest

from agents.golden.exchange import import_tests
from agents.models import Agent, GoldenTest
from agents.tools.autonomy import database_now
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_user
from tests.golden import make_test
from tests.judging import make_cases, make_judge, make_judge_version
from tests.shop import make_shop_agent

pytestmark = pytest.mark.django_db


def rubric_test(slug: str = "kindness") -> GoldenTest:
    agent, _ = make_shop_agent()
    return make_test(agent, checks=[{"kind": "judge_rubric", "judge": slug}])


def edit_page(test: GoldenTest, status: int = 200, **values: str) -> str:
    client = client_as(Role.ENGINEER, test.agent.project)
    url = f"/p/{test.agent.project.slug}/golden/{test.pk}/edit/"
    answer = client.post(url, values) if values else client.get(url)
    assert answer.status_code == status
    return str(answer.content.decode())


def filled(test: GoldenTest, judge: str) -> dict[str, str]:
    return {
        "title": test.title, "suite": test.suite, "severity": test.severity,
        "reason": "It happened.", "check-0-kind": "judge_rubric", "check-0-judge": judge,
        "customer": "turns", "turn": "Yes", "on-missing": "fail", "owner_id": "",
    }  # fmt: skip


def make_named(agent: Agent, slug: str, name: str, **about: object) -> None:
    make_judge_version(make_judge(agent.project, slug=slug, name=name, **about))


def test_judge_is_chosen_among_those_of_the_project_with_its_trust() -> None:
    test = rubric_test()
    make_named(test.agent, "kindness", "Kindness")
    trusted = make_judge_version(make_judge(test.agent.project, slug="solved", name="Solved"))
    make_cases(trusted, true_pass=40, true_fail=40, agent_name=test.agent.slug)
    make_named(make_shop_agent()[0], "strange", "Strange")
    text = edit_page(test)
    assert '<option value="kindness" selected>Kindness: advisory</option>' in text
    assert '<option value="solved">Solved: trusted to gate</option>' in text
    assert "Strange" not in text


def test_unknown_judge_stays_named_and_says_the_way_out() -> None:
    text = edit_page(rubric_test("nobody"))
    assert "This project has no judge called &#x27;nobody&#x27;." in text
    assert 'value="nobody"' in text


def test_archived_judge_is_named_and_says_the_way_out() -> None:
    test = rubric_test()
    make_named(test.agent, "kindness", "Kindness", archived_at=database_now())
    text = edit_page(test)
    assert "The judge Kindness (kindness) is archived and is not asked any more." in text
    assert "kindness: cannot be asked" in text


@pytest.mark.parametrize("slug", ["nobody", ""])
def test_judge_that_cannot_be_asked_is_not_saved(slug: str) -> None:
    test = rubric_test()
    make_named(test.agent, "kindness", "Kindness")
    text = edit_page(test, 422, **filled(test, slug))
    assert "no judge called" in text if slug else "Judge is empty" in text


def test_judge_of_the_project_is_saved() -> None:
    test = rubric_test("old")
    make_named(test.agent, "kindness", "Kindness")
    edit_page(test, 303, **filled(test, "kindness"))
    test.refresh_from_db()
    assert test.checks == [{"kind": "judge_rubric", "judge": "kindness"}]


def test_project_without_a_judge_says_so() -> None:
    test = rubric_test("kindness")
    assert "make one with this short name under Judges" in edit_page(test)


def test_import_keeps_the_slug_of_a_judge_that_is_not_there() -> None:
    test = rubric_test("kindness")
    entry = (
        '{"slug": "kept", "title": "Kept", "reason": "It happened.", '
        '"input": {"messages": [{"role": "user", "content": "Hello"}]}, '
        '"checks": [{"kind": "judge_rubric", "judge": "somebody"}]}'
    )
    import_tests(agent=test.agent, text=entry, by=make_user())
    kept = GoldenTest.objects.get(slug="kept")
    assert kept.checks == [{"kind": "judge_rubric", "judge": "somebody"}]
