"""The board: suites, what is set aside, any two runs side by side, and what it says first."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.golden.compare import compare_runs
from agents.models import Agent, EvalResult, GoldenTest, Version
from agents.releases.proof import Move
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.columns import Pick, columns_of
from reviewdesk.screens.golden.reading import read_board
from reviewdesk.screens.golden.sentence import aside_of, compare_sentence, difference_of
from reviewdesk.screens.golden.suites import read_rail
from tests.factories import client_as, make_live, make_run
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def desk(num_tests: int = 6) -> tuple[Agent, Version, Version, list[GoldenTest]]:
    """Make an agent with a live version and a newer one, and tests."""
    agent, live = make_shop_agent()
    make_live(live)
    newer = make_shop_version(agent, system_prompt="Ask first.")
    agent.refresh_from_db()
    return agent, live, newer, [make_test(agent) for _ in range(num_tests)]


def page(agent: Agent, query: str = "", name: str = "index", *args: Any) -> str:
    address = reverse(f"golden:{name}", args=[agent.project.slug, *args])
    response = client_as(Role.ENGINEER, agent.project).get(f"{address}?{query}")
    assert response.status_code == 200
    return response.content.decode()


def set_aside(test: GoldenTest, days: int) -> None:
    until = timezone.now().date() + timedelta(days=days)
    found = GoldenTest.objects.filter(pk=test.pk)
    found.update(quarantined_until=until, quarantine_reason="Its shop is being moved.")


def test_rail_counts_suites_and_what_is_set_aside() -> None:
    agent, _, _, tests = desk(6)
    GoldenTest.objects.filter(pk__in=[test.pk for test in tests[:2]]).update(suite="adversarial")
    GoldenTest.objects.filter(pk=tests[2].pk).update(archived_at=timezone.now())
    set_aside(tests[3], 7)
    rail = read_rail(agent)
    assert rail.all.num == 4
    assert {entry.key: entry.num for entry in rail.suites if entry.num} == {
        "adversarial": 2,
        "regression": 2,
    }
    assert [entry.num for entry in rail.aside] == [1, 1]


def test_a_suite_shows_its_tests_alone() -> None:
    agent, _, _, tests = desk(3)
    GoldenTest.objects.filter(pk=tests[0].pk).update(suite="edge")
    text = page(agent, "suite=edge")
    assert "Test 1</a>" in text
    assert "Test 2</a>" not in text


def test_quarantine_ends_by_itself() -> None:
    agent, _, _, tests = desk(2)
    set_aside(tests[0], 1)
    assert [row.test.pk for row in read_board(agent).rows] == [tests[1].pk]
    assert [row.test.pk for row in read_board(agent, suite="quarantine").rows] == [tests[0].pk]
    set_aside(tests[0], 0)
    assert len(read_board(agent).rows) == 2


def test_panel_says_why_a_test_is_in_quarantine() -> None:
    agent, _, _, tests = desk(1)
    set_aside(tests[0], 3)
    assert "Its shop is being moved." in page(agent, "", "test", tests[0].pk)


def test_any_two_eval_runs_are_compared() -> None:
    agent, live, newer, tests = desk(3)
    first = make_eval_run(live, tests, "pp pp ff")
    second = make_eval_run(live, tests, "ff pp pp")
    make_eval_run(newer, tests, "pp")
    board = read_board(agent, pick=Pick(str(first.pk), str(second.pk)))
    moves = {row.test.pk: row.move for row in board.rows}
    assert moves == {
        tests[0].pk: Move.BROKEN,
        tests[1].pk: Move.SAME,
        tests[2].pk: Move.BETTER,
    }
    assert [column.is_pinned for column in board.columns] == [True, True]


def test_a_pinned_run_is_shown_as_it_was_after_the_test_was_edited() -> None:
    agent, live, newer, tests = desk(1)
    first, second = make_eval_run(live, tests, "p"), make_eval_run(newer, tests, "f")
    GoldenTest.objects.filter(pk=tests[0].pk).update(content_hash="1" * 64)
    (row,) = read_board(agent, pick=Pick(str(first.pk), str(second.pk))).rows
    assert row.move is Move.BROKEN
    assert read_board(agent).rows[0].move is None


def test_tests_of_other_content_are_new_between_two_runs() -> None:
    agent, live, newer, tests = desk(1)
    first, second = make_eval_run(live, tests, "p"), make_eval_run(newer, tests, "f")
    EvalResult.objects.filter(eval_run=second).update(test_hash="1" * 64)
    (row,) = read_board(agent, pick=Pick(str(first.pk), str(second.pk))).rows
    assert row.move is Move.NEW


@pytest.mark.parametrize("value", ["v99", "0", "-1", "v", "x", "9" * 12])
def test_a_run_that_is_not_there_is_as_if_it_were_not_asked_for(value: str) -> None:
    agent, live, newer, tests = desk(2)
    make_eval_run(live, tests, "p")
    make_eval_run(newer, tests, "p")
    assert columns_of(agent, Pick("", value)) == columns_of(agent)
    assert "Test 1</a>" in page(agent, f"a={value}&b={value}")


def test_agent_with_a_live_version_is_shown_before_one_on_trial() -> None:
    agent, _, _, _ = desk(1)
    on_trial = Agent.objects.create(
        project=agent.project, slug="first", name="A first one", dataset="test"
    )
    make_test(on_trial, title="Tried only")
    assert "Test 1</a>" in page(agent, "")
    assert "Tried only" not in page(agent, "")
    assert "Tried only" in page(agent, "agent=first")


def test_another_agents_run_cannot_be_compared() -> None:
    agent, _, _, _ = desk(1)
    _, other_live, _, other_tests = desk(1)
    foreign = make_eval_run(other_live, other_tests, "p")
    assert columns_of(agent, Pick("", str(foreign.pk))) == columns_of(agent)


def test_nothing_moves_between_a_run_and_itself() -> None:
    agent, live, _, tests = desk(2)
    run = make_eval_run(live, tests, "pf pp")
    board = read_board(agent, pick=Pick(str(run.pk), str(run.pk)))
    assert len(board.columns) == 2
    assert [row.move for row in board.rows] == [Move.FLAKY, Move.SAME]


def test_sentence_gives_the_difference_with_interval_and_size() -> None:
    agent, live, newer, tests = desk(6)
    make_eval_run(live, tests, "ff ff ff pp pp pp")
    make_eval_run(newer, tests, "pp")
    sentence = compare_sentence(read_board(agent))
    assert sentence.text == "Difference not told apart from 0: +50.0 points"
    assert sentence.detail.startswith("(\N{MINUS SIGN}")
    assert sentence.detail.endswith("), 6 tests × 2")


def test_difference_has_the_interval_of_comparing_the_two_runs() -> None:
    agent, live, newer, tests = desk(6)
    before = make_eval_run(live, tests, "ff pf ff pp pp pp")
    now = make_eval_run(newer, tests, "pp")
    found, whole = difference_of(read_board(agent)), compare_runs(before=before, now=now).whole
    assert found is not None
    assert found.interval is not None
    assert whole is not None
    assert [found.interval.low, found.interval.high] == pytest.approx([whole.low, whole.high])


def test_sentence_says_better_and_worse_where_zero_is_ruled_out() -> None:
    agent, live, newer, tests = desk(8)
    make_eval_run(live, tests, "f f f f f f f p")
    make_eval_run(newer, tests, "p")
    board = read_board(agent)
    assert compare_sentence(board).text == "Better by 87.5 points"
    swapped = read_board(agent, pick=Pick("v2", "v1"))
    assert compare_sentence(swapped).text == "Worse by 87.5 points"
    assert compare_sentence(swapped).kind == "bad"


def test_difference_is_unknown_where_nothing_is_compared() -> None:
    agent, live, _, tests = desk(2)
    make_eval_run(live, tests, "p")
    assert difference_of(read_board(agent)) is None


def test_aside_names_cost_and_infrastructure_errors_left_out() -> None:
    agent, live, newer, tests = desk(5)
    make_eval_run(live, tests, "p")
    run = make_eval_run(newer, tests, "pe", finished_at="2026-11-20T16:41:00Z")
    run.results.update(cost_usd="0.25")
    aside = aside_of(read_board(agent))
    assert aside == "done Fri 20 Nov, 16:41 · $2.50 · 5 infra errors, left out"


def test_cost_is_left_away_where_part_of_it_is_unknown() -> None:
    agent, live, newer, tests = desk(5)
    make_eval_run(live, tests, "p")
    run = make_eval_run(newer, tests, "p")
    run.results.filter(test=tests[0]).update(cost_usd="0.25")
    assert "$" not in aside_of(read_board(agent))


def test_side_by_side_leads_from_the_baselines_session_to_the_candidates() -> None:
    agent, live, newer, tests = desk(1)
    sessions = []
    for version, verdict in ((live, "p"), (newer, "f")):
        result = make_eval_run(version, tests, verdict).results.get()
        result.run = make_run(agent)
        result.save(update_fields=["run"])
        sessions.append(result.run.session_id)
    address = reverse("sessions:compare", args=[agent.project.slug, *sessions])
    assert address in page(agent, "", "test", tests[0].pk)


def test_panel_names_broken_rules_and_calls_without_a_recorded_answer() -> None:
    agent, live, newer, tests = desk(1)
    make_eval_run(live, tests, "p")
    run = make_eval_run(newer, tests, "f")
    run.results.update(hard=[{"gate": "leak", "found": "<i>a card number</i>"}], num_missing=2)
    text = page(agent, "", "test", tests[0].pk)
    assert "&lt;i&gt;a card number" in text
    assert "2 calls had no recorded answer." in text


def test_tabs_count_moves_and_keep_what_is_compared() -> None:
    agent, live, newer, tests = desk(3)
    first = make_eval_run(live, tests, "pp pf ff")
    second = make_eval_run(newer, tests, "ff fp pp")
    text = page(agent, f"a={first.pk}&b={second.pk}&show=flaky")
    assert "Test 2</a>" in text
    assert "Test 1</a>" not in text
    assert f"a={first.pk}&amp;b={second.pk}&amp;show=broken" in text


def test_comparing_asks_as_many_queries_for_many_tests_as_for_few() -> None:
    def num_queries(num_tests: int) -> int:
        agent, live, newer, tests = desk(num_tests)
        first = make_eval_run(live, tests, "pf")
        second = make_eval_run(newer, tests, "pp")
        client = client_as(Role.ENGINEER, agent.project)
        address = reverse("golden:index", args=[agent.project.slug])
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"{address}?a={first.pk}&b={second.pk}").status_code == 200
        return len(queries)

    assert num_queries(2) == num_queries(12) <= 35


def test_where_nothing_is_live_the_newest_is_compared_with_the_one_before() -> None:
    agent, live, newer, tests = desk(1)
    Agent.objects.filter(pk=agent.pk).update(live_version=None)
    agent.refresh_from_db()
    make_eval_run(live, tests, "p")
    make_eval_run(newer, tests, "f")
    (row,) = read_board(agent).rows
    assert row.move is Move.BROKEN
