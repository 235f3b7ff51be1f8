"""The Golden screen: board, panel, eval run, promotion form, and who may do what."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.errors import GoldenError
from agents.golden.runner import start_eval_run
from agents.models import Agent, EvalRun, GoldenTest, Run, Version
from agents.releases.proof import Move
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.board import Cell, move_between
from reviewdesk.screens.golden.progress import seconds_left
from reviewdesk.screens.golden.reading import read_board
from reviewdesk.screens.golden.sentence import compare_sentence
from tests.factories import (
    client_as,
    customer_span,
    make_label,
    make_live,
    make_project,
    make_run,
    make_session,
    make_user,
    sign_in,
    tool_span,
)
from tests.golden import ASKS_FIRST, CALLS_CANCEL, make_eval_run, make_hasty_session, make_test
from tests.shop import make_shop_agent, make_shop_version
from traces.models import Session

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
RESTORE = {**HTMX, "HX-History-Restore-Request": "true"}


def desk(num_tests: int = 2) -> tuple[Agent, Version, Version, list[GoldenTest]]:
    """Make an agent with a live version and a newer one, and tests."""
    agent, live = make_shop_agent()
    make_live(live)
    newer = make_shop_version(agent, system_prompt="Ask first.")
    agent.refresh_from_db()
    return agent, live, newer, [make_test(agent) for _ in range(num_tests)]


def url(name: str, agent: Agent, *args: Any) -> str:
    return reverse(f"golden:{name}", args=[agent.project.slug, *args])


def page(agent: Agent, address: str, role: str = Role.ENGINEER, **headers: str) -> str:
    response = client_as(role, agent.project).get(address, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def labelled(agent: Agent) -> Session:
    session, span_id = make_hasty_session(agent)
    make_label(
        session,
        outcome="harmful",
        severity="critical",
        primary_cause="T5",
        first_wrong_span_id=span_id,
        comment="It cancelled without asking.",
    )
    return session


def filled(**changes: str) -> dict[str, Any]:
    values = {
        "agent": "shop",
        "title": "Asks before it cancels",
        "severity": "critical",
        "tags": "T5, cancel",
        "reason": "It cancelled without a yes.",
        "check-0-kind": "confirmed_before",
        "check-0-tool": "cancel_pending_order",
        "check-0-mentions": "order_id",
        "turn": "Yes, please.",
    }
    return {name: value for name, value in {**values, **changes}.items() if value != "-"}


# the board


def test_board_says_first_how_the_newest_version_does() -> None:
    agent, live, newer, tests = desk(3)
    make_eval_run(live, tests, "f p p")
    make_eval_run(newer, tests, "p")
    sentence = compare_sentence(read_board(agent))
    assert sentence.text == "v2: 3 of 3 passed; v1 (live) failed 1 of 3."
    assert (sentence.kind, sentence.detail) == ("good", "1 better")


def test_what_got_worse_stands_first() -> None:
    agent, live, newer, tests = desk(4)
    make_eval_run(live, tests, "pp ff pp pp")
    make_eval_run(newer, tests, "pp pp ff pf")
    rows = read_board(agent).rows
    assert [row.move for row in rows] == [Move.BROKEN, Move.WORSE, Move.BETTER, Move.SAME]
    assert compare_sentence(read_board(agent)).kind == "bad"


@pytest.mark.parametrize(
    ("before", "now", "move"),
    [
        ("gg", "ff", Move.BROKEN),
        ("gg", "gf", Move.WORSE),
        ("fg", "gg", Move.BETTER),
        ("ge", "gg", Move.SAME),
        ("gf", "fg", Move.FLAKY),
        ("gf", "ff", Move.WORSE),
        ("p", "g", Move.NEW),
        ("ee", "g", Move.NEW),
        ("g", "p", None),
    ],
)
def test_moves(before: str, now: str, move: Move | None) -> None:
    assert move_between(Cell(tuple(before)), Cell(tuple(now))) is move


def test_results_of_before_an_edit_say_nothing() -> None:
    agent, live, _, tests = desk(1)
    make_eval_run(live, tests, "p")
    GoldenTest.objects.filter(pk=tests[0].pk).update(content_hash="1" * 64)
    (row,) = read_board(agent).rows
    assert not row.cells[0].is_judged
    assert row.cells[0].words == "not run since the test was edited"


def test_only_the_newest_eval_run_of_a_version_counts() -> None:
    agent, live, _, tests = desk(2)
    make_eval_run(live, tests, "f")
    make_eval_run(live, tests[:1], "p")
    make_eval_run(live, tests, "f", status="void")
    cells = {row.test.pk: row.cells[0] for row in read_board(agent).rows}
    assert cells[tests[0].pk].is_passed
    assert cells[tests[1].pk].is_failed


def test_board_shows_the_live_the_newest_and_the_last_run_versions() -> None:
    agent, _, _, tests = desk(1)
    versions = [make_shop_version(agent, system_prompt=f"Later {number}") for number in range(4)]
    assert [column.version.number for column in read_board(agent).columns] == [1, 6]
    make_eval_run(versions[0], tests, "p")
    make_eval_run(versions[2], tests, "p")
    columns = read_board(agent).columns
    assert [column.version.number for column in columns] == [1, 5, 6]
    assert (columns[0].is_live, columns[2].is_candidate) == (True, True)


def test_index_is_a_page_a_fragment_and_a_page_again_on_history_restore() -> None:
    agent, live, _, tests = desk()
    make_eval_run(live, tests, "f")
    for headers, is_page in (({}, True), (HTMX, False), (RESTORE, True)):
        text = page(agent, url("index", agent), **headers)
        assert ("<html" in text) is is_page
        assert "v1 (live)" in text


def test_test_opens_beside_the_board_and_as_a_fragment() -> None:
    agent, live, _, tests = desk()
    make_eval_run(live, tests, "f")
    address = url("test", agent, tests[1].pk)
    whole = page(agent, address)
    assert 'id="test-' in whole
    assert "What v1 did instead" in whole
    assert "step 4: the agent did not ask" in whole
    fragment = page(agent, address, **HTMX)
    assert "<html" not in fragment
    assert fragment.strip().startswith('<aside class="side"')
    assert "<html" in page(agent, address, **RESTORE)


def test_a_failed_test_leads_to_its_run_beside_the_recorded_session() -> None:
    agent, live, _, tests = desk()
    eval_run = make_eval_run(live, tests, "f")
    test = tests[0]
    test.source_session = make_session(agent.project)
    test.save(update_fields=["source_session"])
    result = eval_run.results.filter(test=test).get()
    result.run = make_run(agent)
    result.save(update_fields=["run"])
    pair = [agent.project.slug, test.source_session.pk, result.run.session_id]
    address = reverse("sessions:compare", args=pair)
    assert address in page(agent, url("run", agent, eval_run.pk))
    assert address in page(agent, url("test", agent, test.pk))


def test_tabs_and_filter_choose_the_rows() -> None:
    agent, live, newer, tests = desk(3)
    make_eval_run(live, tests, "f p p")
    make_eval_run(newer, tests[:2], "p")
    address = url("index", agent)
    assert "Test 1</a>" in page(agent, f"{address}?show=better")
    assert "Test 2</a>" not in page(agent, f"{address}?show=better")
    assert "Test 1</a>" not in page(agent, f"{address}?show=broken")
    assert "Test 2</a>" not in page(agent, f"{address}?q=test+1")
    assert "No title or tag contains" in page(agent, f"{address}?q=zebra")


def test_retired_tests_are_set_aside() -> None:
    agent, _, _, tests = desk(2)
    GoldenTest.objects.filter(pk=tests[0].pk).update(archived_at="2026-11-16T12:00:00Z")
    assert "Test 1</a>" not in page(agent, url("index", agent))
    archived = page(agent, url("index", agent) + "?suite=retired")
    assert "Test 1</a>" in archived
    assert "Test 2</a>" not in archived


def test_empty_board_says_what_to_do() -> None:
    agent, _, _, _ = desk(0)
    text = page(agent, url("index", agent))
    assert "No golden test for shop yet" in text
    assert "Find a session" in text


def test_project_without_an_agent_has_a_board_too() -> None:
    project = make_project()
    response = client_as(Role.VIEWER, project).get(reverse("golden:index", args=[project.slug]))
    assert b"No agent yet" in response.content


def test_many_tests_come_in_pages() -> None:
    agent, _, _, _ = desk(51)
    first = page(agent, url("index", agent))
    assert "1\u201350 of 51" in first
    assert first.count("data-row-open") == 50
    assert page(agent, url("index", agent) + "?page=2").count("data-row-open") == 1


def test_traces_text_is_escaped() -> None:
    agent, _, _, _ = desk(0)
    said = {"messages": [{"role": "user", "content": "<script>alert(1)</script>"}], "turns": []}
    test = make_test(agent, title="<b>bold</b>", input=said)
    text = page(agent, url("test", agent, test.pk))
    assert "<script>alert(1)" not in text
    assert "<b>bold" not in text


def test_board_asks_as_many_queries_for_many_tests_as_for_few() -> None:
    def num_queries(num_tests: int) -> int:
        agent, live, newer, tests = desk(num_tests)
        make_eval_run(live, tests, "pf")
        make_eval_run(newer, tests, "pp")
        client = client_as(Role.ENGINEER, agent.project)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(url("index", agent)).status_code == 200
        return len(queries)

    assert num_queries(2) == num_queries(12) <= 30


def test_eval_run_asks_as_many_queries_for_many_results_as_for_few() -> None:
    def num_queries(num_tests: int) -> int:
        agent, live, _, tests = desk(num_tests)
        eval_run = make_eval_run(live, tests, "pfe")
        client = client_as(Role.ENGINEER, agent.project)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url("run", agent, eval_run.pk)).status_code == 200
        return len(queries)

    assert num_queries(2) == num_queries(12) <= 20


# eval runs


def test_engineer_starts_an_eval_run_and_sees_it() -> None:
    agent, _, newer, _ = desk()
    client = client_as(Role.ENGINEER, agent.project)
    response = client.post(url("start", agent), {"version": newer.pk, "repeats": "2"})
    eval_run = EvalRun.objects.get()
    assert (response.status_code, response["Location"]) == (303, url("run", agent, eval_run.pk))
    assert (eval_run.version, eval_run.results.count()) == (newer, 4)
    text = client.get(response["Location"]).content.decode()
    assert "v2 is being tested." in text
    assert "0 of 4 runs done" in text
    assert 'hx-trigger="every 2s"' in text


def test_one_test_can_be_run_alone() -> None:
    agent, live, _, tests = desk()
    client = client_as(Role.ENGINEER, agent.project)
    client.post(url("start", agent), {"version": live.pk, "repeats": "1", "test": tests[0].pk})
    assert [result.test for result in EvalRun.objects.get().results.all()] == [tests[0]]


@pytest.mark.parametrize("changes", [{"repeats": "11"}, {"repeats": "x"}, {"version": ""}])
def test_invalid_start_is_shown_again_with_the_reason(changes: dict[str, str]) -> None:
    agent, live, _, _ = desk()
    client = client_as(Role.ENGINEER, agent.project)
    data = {"version": live.pk, "repeats": "1", **changes}
    response = client.post(url("start", agent), data)
    assert response.status_code == 422
    assert b'role="alert"' in response.content
    assert not EvalRun.objects.exists()


def test_nothing_to_run_is_said() -> None:
    agent, live, _, _ = desk(0)
    client = client_as(Role.ENGINEER, agent.project)
    response = client.post(url("start", agent), {"version": live.pk, "repeats": "1"})
    assert response.status_code == 409
    assert b"has no golden test to run" in response.content


def test_finished_eval_run_stops_polling_and_names_what_was_found() -> None:
    agent, live, _, tests = desk()
    eval_run = make_eval_run(live, tests, "p f")
    text = page(agent, url("run", agent, eval_run.pk))
    assert "every 2s" not in text
    assert "v1 failed 1 of 2 tests." in text
    assert "asks: step 4: the agent did not ask" in text
    assert "<html" not in page(agent, url("run", agent, eval_run.pk), **HTMX)
    assert "<html" in page(agent, url("run", agent, eval_run.pk), **RESTORE)


def test_eval_run_over_changed_tests_is_marked() -> None:
    agent, live, _, tests = desk()
    eval_run = make_eval_run(live, tests, "p")
    assert "no evidence" not in page(agent, url("run", agent, eval_run.pk))
    make_test(agent)
    assert "is no evidence for a release" in page(agent, url("run", agent, eval_run.pk))


def test_eval_run_is_cancelled_once() -> None:
    agent, live, _, _ = desk()
    eval_run = start_eval_run(version=live, by=make_user())
    client = client_as(Role.LEAD, agent.project)
    assert client.post(url("cancel", agent, eval_run.pk)).status_code == 303
    assert not Run.objects.filter(cancel_requested_at=None).exists()
    again = client.post(url("cancel", agent, eval_run.pk))
    assert again.status_code == 409
    assert b"ended already: it is cancelled" in again.content


def test_time_left_is_unknown_until_something_is_done() -> None:
    _, live, _, tests = desk()
    eval_run = make_eval_run(live, tests, "p")
    began, later = eval_run.created_at, eval_run.created_at.replace(year=2100)
    assert seconds_left(began, later, 0, 4) is None
    assert seconds_left(began, began, 2, 4) == 0
    assert seconds_left(began, later, 4, 4) == 0


# promoting and editing


def test_promotion_form_shows_recording_and_proposed_checks() -> None:
    agent, _, _, _ = desk(0)
    session = labelled(agent)
    text = page(agent, url("promote", agent, session.pk), Role.REVIEWER)
    assert "Cancel #T1 please" in text
    assert 'value="confirmed_before"' in text
    assert "Yes, please go ahead." in text
    assert "It cancelled without asking.</textarea>" in text.replace("\n", "")
    assert "first wrong step" in text


@pytest.mark.parametrize(
    ("checks", "words"),
    [([ASKS_FIRST], "it must hold"), ([ASKS_FIRST, CALLS_CANCEL], "all 2 must hold")],
)
def test_form_says_how_many_checks_must_hold(checks: list[Any], words: str) -> None:
    agent, _, _, _ = desk(0)
    test = make_test(agent, checks=checks)
    assert words in page(agent, url("edit", agent, test.pk), Role.REVIEWER)


@pytest.mark.parametrize("wrong", [None, 700])
def test_long_recording_is_shown_around_the_first_wrong_step(wrong: int | None) -> None:
    agent, _, _, _ = desk(0)
    opening = [customer_span("Where is it?", at=0)]
    looks = [tool_span("look", {"n": f"look-{n}-"}, result={}, at=n + 1) for n in range(1000)]
    session = make_session(agent.project, spans=[*opening, *looks], agent_name=agent.slug)
    if wrong:
        make_label(session, outcome="harmful", first_wrong_span_id=looks[wrong].span_id)
    text = page(agent, url("promote", agent, session.pk), Role.REVIEWER)
    shown = text.partition("<h2>Fixtures")[0]
    assert [f"look-{n}-" in shown for n in (0, 700, 999)] == [not wrong, bool(wrong), False]
    assert "steps are not shown here" in shown
    assert "and 950 more" in text
    assert len(text) < 400_000


def test_reviewer_promotes_a_session() -> None:
    agent, _, _, _ = desk(0)
    session = labelled(agent)
    client = client_as(Role.REVIEWER, agent.project)
    response = client.post(url("promote", agent, session.pk), filled())
    test = GoldenTest.objects.get()
    assert (response.status_code, response["Location"]) == (303, url("test", agent, test.pk))
    assert test.checks == [
        {"kind": "confirmed_before", "tool": "cancel_pending_order", "mentions": "order_id"}
    ]
    assert test.input["turns"] == ["Yes, please."]
    assert test.source_label is not None
    shown = client.get(response["Location"]).content.decode()
    assert "Promoted: Asks before it cancels. Run it next." in shown
    assert "Run on v2" in shown


def test_checks_that_the_recorded_mistake_passes_are_not_saved() -> None:
    agent, _, _, _ = desk(0)
    session = labelled(agent)
    changes = {"check-0-kind": "tool_called", "check-0-arguments": ""}
    client = client_as(Role.REVIEWER, agent.project)
    response = client.post(url("promote", agent, session.pk), filled(**changes))
    assert response.status_code == 422
    assert "a version that repeats its mistake would pass, too" in response.content.decode()
    assert not GoldenTest.objects.exists()


def test_form_says_when_no_proposed_check_fails_the_recording() -> None:
    agent, _, _, _ = desk(0)
    for cause, is_said in (("T5", False), ("P3", True)):
        session, _ = make_hasty_session(agent)
        make_label(session, outcome="partial", primary_cause=cause)
        text = page(agent, url("promote", agent, session.pk), Role.REVIEWER)
        assert ("The recording passes every check proposed here." in text) is is_said


def test_promoted_session_leads_to_its_test() -> None:
    agent, _, _, _ = desk(0)
    session = labelled(agent)
    client = client_as(Role.REVIEWER, agent.project)
    client.post(url("promote", agent, session.pk), filled())
    again = client.get(url("promote", agent, session.pk))
    assert (again.status_code, GoldenTest.objects.count()) == (303, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": ""}, "Give the test a title"),
        ({"reason": ""}, "Say why this is a golden test"),
        ({"agent": ""}, "Choose the agent"),
        ({"check-0-tool": "fly"}, "no tool called"),
        ({"check-0-kind": "-"}, "needs at least one check"),
        ({"tags": "a" * 41}, "41 characters; 40 at most"),
    ],
)
def test_invalid_promotion_keeps_what_was_typed(changes: dict[str, str], message: str) -> None:
    agent, _, _, _ = desk(0)
    session = labelled(agent)
    client = client_as(Role.REVIEWER, agent.project)
    address = url("promote", agent, session.pk)
    response = client.post(address, filled(**changes), headers=HTMX)
    text = response.content.decode()
    assert response.status_code == 422
    assert message in text.replace("&#x27;", "'")
    assert "Yes, please." in text
    assert "<html" not in text
    assert not GoldenTest.objects.exists()


def test_checks_and_turns_are_added_and_dropped_without_saving() -> None:
    agent, _, _, _ = desk(0)
    session = labelled(agent)
    client = client_as(Role.REVIEWER, agent.project)
    address = url("promote", agent, session.pk)
    added = client.post(address, filled(add="1", kind="at_most_steps", title="")).content.decode()
    assert 'name="check-1-limit"' in added
    assert "Give the test a title" not in added
    dropped = client.post(address, filled(drop="0")).content.decode()
    assert 'name="check-0-kind"' not in dropped
    turned = client.post(address, {**filled(), "add-turn": "1"}).content.decode()
    assert turned.count('name="turn"') == 2
    assert not GoldenTest.objects.exists()


def test_session_that_still_runs_is_refused_with_the_reason() -> None:
    agent, _, _, _ = desk(0)
    session, _ = make_hasty_session(agent, status=Session.Status.RUNNING)
    response = client_as(Role.REVIEWER, agent.project).get(url("promote", agent, session.pk))
    assert response.status_code == 409
    assert b"it can be promoted when it has ended" in response.content


def test_imported_session_asks_which_agent() -> None:
    agent, _, _, _ = desk(0)
    Agent.objects.create(project=agent.project, slug="other", name="Other")
    session = make_session(agent.project, source=Session.Source.TAU2, agent_name="gpt")
    text = page(agent, url("promote", agent, session.pk), Role.REVIEWER)
    assert "Choose the agent that is tested" in text
    assert "not labelled" in text


def test_recording_of_another_shop_is_named_as_such() -> None:
    agent, _, _, _ = desk(0)
    spans = [customer_span("Where is #W1?"), tool_span("get_order_details", {"order_id": "#W1"})]
    session = make_session(agent.project, spans=spans)
    assert "does not have order #W1" in page(agent, url("promote", agent, session.pk), "reviewer")
    own, _ = make_hasty_session(agent)
    assert "does not have" not in page(agent, url("promote", agent, own.pk), "reviewer")


def test_test_is_edited() -> None:
    agent, _, _, tests = desk(1)
    client = client_as(Role.REVIEWER, agent.project)
    address = url("edit", agent, tests[0].pk)
    assert b"Test 1" in client.get(address).content
    response = client.post(address, filled(agent="-", title="Renamed"))
    assert response.status_code == 303
    test = GoldenTest.objects.get()
    assert (test.title, len(test.checks)) == ("Renamed", 1)
    assert test.content_hash != tests[0].content_hash


def test_invalid_edit_is_refused_by_field() -> None:
    agent, _, _, tests = desk(1)
    client = client_as(Role.REVIEWER, agent.project)
    data = filled(**{"check-0-kind": "tool_called", "check-0-arguments": "{oops"})
    response = client.post(url("edit", agent, tests[0].pk), data)
    assert response.status_code == 422
    assert b"this is not JSON" in response.content


def test_test_is_archived_with_a_reason() -> None:
    agent, _, _, tests = desk(1)
    client = client_as(Role.REVIEWER, agent.project)
    address = url("archive", agent, tests[0].pk)
    refused = client.post(address, {"reason": " "}, headers=HTMX)
    assert (refused.status_code, b"Say why" in refused.content) == (422, True)
    assert client.post(address, {"reason": "The tool is gone."}).status_code == 303
    again = client.post(address, {"reason": "Again."})
    assert (again.status_code, b"is archived since" in again.content) == (409, True)
    assert "The tool is gone." in page(agent, url("test", agent, tests[0].pk))


# who may


GETS = ["index", "test", "run", "promote", "edit"]
POSTS = ["start", "cancel", "archive"]


def addresses() -> tuple[Agent, dict[str, str]]:
    agent, live, _, tests = desk(1)
    eval_run = make_eval_run(live, tests, "p")
    keys: dict[str, list[Any]] = {
        "test": [tests[0].pk],
        "run": [eval_run.pk],
        "promote": [labelled(agent).pk],
        "edit": [tests[0].pk],
        "cancel": [eval_run.pk],
        "archive": [tests[0].pk],
    }
    return agent, {name: url(name, agent, *keys.get(name, [])) for name in GETS + POSTS}


def test_stranger_and_member_of_another_project_see_nothing() -> None:
    _, by_name = addresses()
    stranger = sign_in(make_user(Role.ADMIN))
    for name, address in by_name.items():
        response = stranger.post(address) if name in POSTS else stranger.get(address)
        assert response.status_code == 404, name


def test_objects_of_another_project_are_not_found_under_ones_own() -> None:
    agent, live, _, tests = desk(1)
    eval_run = make_eval_run(live, tests, "p")
    own = sign_in(make_user(Role.ADMIN))
    other, _, _, _ = desk(0)
    client = client_as(Role.ADMIN, other.project)
    for name, pk in (("test", tests[0].pk), ("run", eval_run.pk), ("edit", tests[0].pk)):
        assert client.get(url(name, other, pk)).status_code == 404
    response = client.post(url("start", other), {"version": live.pk, "repeats": "1"})
    assert response.status_code == 404
    assert own.get(url("index", agent)).status_code == 404


def test_roles_that_may_not_are_told_who_may() -> None:
    agent, by_name = addresses()
    viewer = client_as(Role.VIEWER, agent.project)
    for name in ("promote", "edit"):
        assert viewer.get(by_name[name]).status_code == 403
    for name in POSTS:
        assert viewer.post(by_name[name]).status_code == 403
    text = viewer.get(by_name["test"]).content.decode()
    assert "To run golden tests takes the role reviewer, engineer, lead or admin" in text
    assert "Run on v2" not in text


def test_wrong_methods_are_refused() -> None:
    agent, by_name = addresses()
    client = client_as(Role.ADMIN, agent.project)
    for name in POSTS:
        assert client.get(by_name[name]).status_code == 405
    for name in ("index", "test", "run"):
        assert client.post(by_name[name]).status_code == 405


def test_errors_are_for_people() -> None:
    agent, _, _, _ = desk(0)
    with pytest.raises(GoldenError, match="promote a session first"):
        start_eval_run(version=agent.live_version, by=None)
