"""The form's checks: fields of any kind, folded ones, and what is wrong where it stands."""

from typing import Any

import pytest
from django.urls import reverse

from agents.golden.checks import KINDS
from agents.models import GoldenTest
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.check_rows import CheckRow, read_rows, rows_of_checks, rows_of_form
from tests.factories import client_as
from tests.golden import ASKS_FIRST, CALLS_CANCEL, make_eval_run, make_test
from tests.shop import CANCEL, make_shop_agent

TOOLS = {CANCEL[0]}
KIND = {"kind": "must", "text": "stay kind"}


def row(kind: str, **texts: str) -> CheckRow:
    return CheckRow(0, KINDS[kind], texts, tuple(TOOLS))


def test_rare_fields_are_folded_away_until_they_say_something() -> None:
    plain = row("tool_called", tool=CANCEL[0])
    assert [box.field.name for box in plain.boxes] == ["tool", "arguments"]
    assert [box.field.name for box in plain.more] == ["where", "schema"]
    assert not plain.is_more_open
    assert row("tool_called", where="amount > 5").is_more_open


def test_what_is_wrong_in_a_folded_field_opens_it() -> None:
    _, (told,) = read_rows([row("tool_called", tool=CANCEL[0], schema="{")], TOOLS)
    assert told.is_more_open
    assert "not JSON" in told.more[1].problem


def test_controls_fit_what_a_field_holds() -> None:
    kinds = {"answer_language": "select", "links_only_to": "lines", "answer_matches": "text"}
    for kind, control in kinds.items():
        assert row(kind).boxes[0].control == control
    assert row("answer_matches").boxes[0].is_code
    assert row("at_most_cost").boxes[0].input_mode == "decimal"


def test_new_row_takes_the_focus_and_says_what_it_looks_for() -> None:
    (added,) = rows_of_form({"add": "1", "kind": "answer_matches"}, TOOLS)
    assert [box.is_focused for box in added.boxes] == [True]
    assert added.about == "Pass if the pattern is found in one of the agent's messages."


def test_rows_say_the_same_checks_again() -> None:
    checks = [
        {**CALLS_CANCEL, "where": ["order_id matches ^#"], "schema": {"required": ["reason"]}},
        {"kind": "answer_length", "most": 80, "unit": "words"},
        {"kind": "links_only_to", "hosts": []},
        {"kind": "handed_over", "expected": False},
    ]
    read, told = read_rows(rows_of_checks(checks, TOOLS), TOOLS)
    assert read == checks
    assert not any(each.problems for each in told)


def form_of(test: GoldenTest, **changes: str) -> dict[str, Any]:
    return {
        "title": test.title,
        "severity": test.severity,
        "suite": test.suite,
        "on_missing": test.on_missing,
        "reason": test.reason,
        "turn": "Yes, please.",
        **changes,
    }


@pytest.mark.django_db
def test_form_shows_the_fields_of_every_kind() -> None:
    agent, _ = make_shop_agent()
    test = make_test(agent)
    client = client_as(Role.REVIEWER, agent.project)
    address = reverse("golden:edit", args=[agent.project.slug, test.pk])
    rows = {f"check-{at}-kind": name for at, name in enumerate(KINDS)}
    page = client.post(address, form_of(test, **rows, add="1", kind="no_leak")).content.decode()
    for at, kind in enumerate(KINDS.values()):
        assert all(f'name="check-{at}-{field.name}"' in page for field in kind.fields)
    assert '<optgroup label="What it says">' in page
    assert f'name="check-{len(KINDS)}-kind" value="no_leak"' in page


@pytest.mark.django_db
def test_conditions_are_saved_and_a_bad_one_is_told_by_its_field() -> None:
    agent, _ = make_shop_agent()
    test = make_test(agent)
    client = client_as(Role.REVIEWER, agent.project)
    address = reverse("golden:edit", args=[agent.project.slug, test.pk])
    check = {"check-0-kind": "tool_called", "check-0-tool": CANCEL[0]}
    bad = client.post(address, form_of(test, **check, **{"check-0-where": "amount ~ 5"}))
    assert bad.status_code == 422
    assert "after amount comes =, !=" in bad.content.decode()
    good = client.post(address, form_of(test, **check, **{"check-0-where": "reason exists"}))
    assert good.status_code == 303
    test.refresh_from_db()
    assert test.checks[0]["where"] == ["reason exists"]


@pytest.mark.django_db
def test_panel_shows_expectations_and_checks_that_no_judge_has_judged() -> None:
    agent, version = make_shop_agent()
    rubric = {"kind": "judge_rubric", "judge": "kindness"}
    test = make_test(agent, checks=[CALLS_CANCEL, ASKS_FIRST, rubric], expectations=[KIND])
    result = make_eval_run(version, [test]).results.get()
    waiting = {"kind": "judge_rubric", "title": "x", "passed": None, "found": "not judged yet"}
    result.checks = [*result.checks, waiting]
    result.save(update_fields=["checks"])
    address = reverse("golden:test", args=[agent.project.slug, test.pk])
    page = client_as(Role.ENGINEER, agent.project).get(address).content.decode()
    assert "must: stay kind" in page
    assert '<span class="faint small">not judged</span>' in page
    assert 'title="not judged yet"' in page
