"""A difference in words: the board names what it shows, the gate what it decides by."""

from dataclasses import replace

import pytest

from agents.gate.config import GateConfig
from agents.gate.decide import decide
from agents.gate.decision import Decision, Outcome
from agents.gate.words import Told, difference_words, margin_words, told_of
from agents.models import Gate
from agents.tools.autonomy import database_now
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.reading import read_board
from reviewdesk.screens.golden.sentence import compare_sentence
from tests.factories import client_as
from tests.gate import evidence, one_test
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent, make_shop_version

MINUS = "\N{MINUS SIGN}"


def decision(low: float | None, high: float | None, **about: object) -> Decision:
    found = decide(evidence(one_test("ppp", "ppp", "a"), one_test("ppp", "ppp", "b")), GateConfig())
    return replace(found, low=low, high=high, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.07, "Better by 4.0 points"),
        (-0.07, -0.01, "Worse by 4.0 points"),
        (-0.01, 0.09, "Difference not told apart from 0: +4.0 points"),
        (0.0, 0.08, "Difference not told apart from 0: +4.0 points"),
    ],
)
def test_difference_names_what_the_interval_shows(low: float, high: float, words: str) -> None:
    assert difference_words(-0.04 if high < 0 else 0.04, low, high) == words


def test_interval_that_touches_zero_is_not_told_apart() -> None:
    assert told_of(0.0, 0.0) is Told.OPEN


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.01, 0.02, "not worse than the margin of 5 points"),
        (-0.04, -0.01, "worse, but surely by less than the margin of 5 points"),
        (-0.09, -0.01, "worse, perhaps by more than the margin of 5 points"),
        (-0.09, 0.02, "a drop of the margin of 5 points not ruled out"),
        (None, None, ""),
    ],
)
def test_margin_is_told_by_the_gates_own_interval(
    low: float | None, high: float | None, words: str
) -> None:
    assert margin_words(decision(low, high)) == words


def test_void_gate_says_nothing_of_the_margin() -> None:
    assert margin_words(decision(-0.01, 0.02, outcome=Outcome.VOID)) == ""


@pytest.mark.django_db
def test_board_beside_a_passed_gate_shows_the_same_interval_and_both_questions() -> None:
    agent, version = make_shop_agent()
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    tests = [make_test(agent) for _ in range(6)]
    runs = [make_eval_run(each, tests, "pp") for each in (version, candidate)]
    found = decision(
        -0.021, 0.034, outcome=Outcome.PASSED, diff=0.0, num_tests=6, sentence="Passed."
    )
    Gate.objects.create(
        agent=agent, candidate=candidate, baseline=version, baseline_run=runs[0],
        candidate_run=runs[1], config=GateConfig().to_json(), seed=1, status="passed",
        result=found.to_json(), sentence="Passed.", finished_at=database_now(),
    )  # fmt: skip
    sentence = compare_sentence(read_board(agent), found)
    assert sentence.text == "Difference not told apart from 0: 0.0 points"
    assert f"({MINUS}2.1 to +3.4)" in sentence.detail
    page = client_as(Role.VIEWER, agent.project).get(f"/p/{agent.project.slug}/golden/")
    assert "not worse than the margin of 5 points" in page.content.decode()


@pytest.mark.django_db
def test_board_keeps_its_own_interval_where_the_gate_was_about_other_tests() -> None:
    agent, version = make_shop_agent()
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    tests = [make_test(agent) for _ in range(6)]
    make_eval_run(version, tests, "ff pp ff pp pp pp")
    make_eval_run(candidate, tests, "pp")
    board = read_board(agent)
    assert compare_sentence(board, decision(-0.9, 0.9)) == compare_sentence(board)
