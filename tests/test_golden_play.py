"""What answers a golden run's call that was not recorded: nothing, a rule, or the real tool."""

from typing import Any

import pytest

from agents.golden.play import Play, fits, rule_for, rule_problems
from agents.models import Effect, KillSwitch, Level, Run
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from agents.tools.stops import stop
from tests.factories import make_user
from tests.model_server import ModelServer, model_server
from tests.outside import INPUT, Till, make_payer, till
from traces.models import Span

pytestmark = pytest.mark.django_db


def played(server: ModelServer, pay: Till, **play: Any) -> Run:
    """Return a golden run that ended, with this play."""
    agent, version = make_payer(server.base_url, pay)
    run = start_run(agent=agent, version=version, run_input=INPUT, kind=Run.Kind.GOLDEN)
    Run.objects.filter(pk=run.pk).update(play=play)
    advance(run.pk)
    run.refresh_from_db()
    return run


def heard(server: ModelServer) -> str:
    """Return what the model was told of its call."""
    return str(server.requests[1]["messages"][-1]["content"])


def attributes_of(run: Run, tool: str) -> dict[str, Any]:
    """Return the attributes of the tool's span."""
    return dict(Span.objects.get(session=run.session_id, name=tool).attributes)


def test_call_without_a_recorded_answer_fails_unless_the_test_says_otherwise() -> None:
    with till(Effect.READ) as look, model_server([look.call], "Hm.") as server:
        run = played(server, look)
    assert not look.attempts
    assert "no answer to this call is recorded" in heard(server)
    attributes = attributes_of(run, look.name)
    assert (attributes["answered_by"], attributes["is_missing"]) == ("nothing", True)


def test_real_tool_that_reads_is_asked_where_the_test_allows_it() -> None:
    with till(Effect.READ) as look, model_server([look.call], "Paid.") as server:
        run = played(server, look, on_missing="read")
    assert len(look.attempts) == 1
    assert '"paid":5' in heard(server)
    assert attributes_of(run, look.name)["answered_by"] == "tool"


def test_tool_that_changes_something_outside_is_never_asked() -> None:
    with till(Effect.KEYED) as pay, model_server([pay.call], "Hm.") as server:
        played(server, pay, on_missing="read")
    assert not pay.attempts


def test_stopped_tool_is_not_asked_by_a_golden_run_either() -> None:
    with till(Effect.READ) as look, model_server([look.call], "Paid.") as server:
        agent, version = make_payer(server.base_url, look)
        run = start_run(agent=agent, version=version, run_input=INPUT, kind=Run.Kind.GOLDEN)
        Run.objects.filter(pk=run.pk).update(play={"on_missing": "read"})
        lead = make_user("lead", agent.project)
        stop(
            scope=KillSwitch.Scope.TOOL,
            stops=KillSwitch.Stops.ALL,
            project=agent.project,
            tool=look.name,
            reason="Test.",
            by=lead,
        )
        advance(run.pk)
    run.refresh_from_db()
    assert not look.attempts
    assert run.parked_for == Run.Parked.STOP


def test_first_rule_that_fits_answers_and_is_marked() -> None:
    rules = [
        {"tool": "other", "result": 1},
        {"tool": "PAY", "where": {"amount": 6}, "result": 2},
        {"tool": "PAY", "where": {"amount": 5}, "error": "closed"},
    ]
    with till() as pay, model_server([pay.call], "Hm.") as server:
        named = [{**rule, "tool": str(rule["tool"]).replace("PAY", pay.name)} for rule in rules]
        run = played(server, pay, on_missing="simulate", rules=named)
    assert heard(server) == "Error: closed"
    assert attributes_of(run, pay.name)["answered_by"] == "rule"


def test_rule_answers_for_a_tool_that_does_not_exist() -> None:
    with till() as pay, model_server([("gone", {"id": "A-1"})], "Ok.") as server:
        rules = [{"tool": "gone", "where": {"id": "A-*"}, "result": "here"}]
        played(server, pay, on_missing="simulate", rules=rules)
    assert heard(server) == "here"


def test_rules_count_only_where_the_test_simulates() -> None:
    rule = {"tool": "t", "result": 1}
    assert rule_for(Play("simulate", [rule]), "t", {"a": 1}) is not None
    assert rule_for(Play("read", [rule]), "t", {"a": 1}) is None


@pytest.mark.parametrize(
    ("where", "arguments", "expected"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": None}, {}, False),
        ({"a": "#W*"}, {"a": "#W123"}, True),
        ({"a": "#W*"}, {"a": "#X123"}, False),
        ({"a": "[x]*"}, {"a": "[x]y"}, True),
        ({"a": "?*"}, {"a": "ab"}, False),
    ],
)
def test_arguments_fit_as_the_rule_wants(
    where: dict[str, Any], arguments: dict[str, Any], expected: bool
) -> None:
    assert fits(where, arguments) is expected


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "must be a list"),
        ([{"result": 1}], "name of a 'tool'"),
        ([{"tool": "t"}], "'result' or an 'error'"),
        ([{"tool": "t", "result": 1, "error": "x"}], "one of the two"),
        ([{"tool": "t", "error": 3}], "must be a text"),
        ([{"tool": "t", "where": [], "result": 1}], "object of arguments"),
        ([{"tool": "t", "result": 1, "when": 2}], "has when"),
    ],
)
def test_rules_that_cannot_be_used_are_named(rules: Any, words: str) -> None:
    assert words in rule_problems(rules)[0]


def test_rules_that_can_be_used_have_no_problem() -> None:
    assert rule_problems([{"tool": "t", "where": {"a": "*"}, "result": None}]) == []


def test_level_off_refuses_before_any_answer() -> None:
    with till(Effect.READ) as look, model_server([look.call], "Hm.") as server:
        agent, version = make_payer(server.base_url, look, level=Level.OFF)
        run = start_run(agent=agent, version=version, run_input=INPUT, kind=Run.Kind.GOLDEN)
        Run.objects.filter(pk=run.pk).update(play={"on_missing": "read"})
        advance(run.pk)
    assert not look.attempts
    assert "may not be used" in heard(server)
