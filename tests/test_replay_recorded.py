"""Recorded sessions, replayed: the tools in memory, and all of it with a real worker."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.demo.replay_compare import (
    Response,
    check_outcome,
    compare_call,
    differing_paths,
    recorded_calls,
)
from agents.demo.replay_recorded import PROJECT, read_all, read_shop
from agents.demo.shop import MemoryWorld
from agents.llm.simulator.recorded import Recording
from agents.models import Run, ShopWrite
from agents.tools.contract import ToolError
from agents.tools.executor import argument_problems
from agents.tools.registry import contract_for
from tests.real_data import ROOT, real_data
from tests.test_demo_tools import RECORDS

LAST_LINE = re.compile(
    r"agreement (\d\.\d{3}) of (\d+) tool calls, outcomes (\d+) of (\d+) explained"
)


def data_folder() -> Path:
    real_data("retail")
    real_data("tau2")
    return ROOT


def replay(*arguments: str) -> tuple[list[str], tuple[float, int, int, int]]:
    out = StringIO()
    call_command("replay_recorded", f"--data={data_folder()}", *arguments, stdout=out)
    lines = out.getvalue().splitlines()
    match = LAST_LINE.fullmatch(lines[-1])
    assert match, lines[-1]
    share, *numbers = match.groups()
    return lines, (float(share), *(int(number) for number in numbers))  # type: ignore[return-value]


def make_recording(**overrides: Any) -> Recording:
    values = {
        "id": "recording-1",
        "model": "old-model",
        "task": {"id": "7", "evaluation_criteria": {"actions": []}},
        "messages": (),
        "reached_goal": True,
    }
    return Recording(**{**values, **overrides})


def difference(recorded: Response, here: Response | None, tool: str = "calculate") -> str:
    call = {"id": "call_1", "name": tool, "arguments": {"new_item_ids": ["I-2"]}}
    found = compare_call(make_recording(), call, recorded, here, RECORDS)
    return found.why if found else ""


def test_tools_agree_with_the_recordings_call_by_call() -> None:
    records, _ = read_shop(data_folder())
    differences, num_calls, outcomes = [], 0, []
    for recording in [each for file in read_all(data_folder()) for each in file]:
        world, own = MemoryWorld(records), []
        for call, recorded in recorded_calls(recording):
            num_calls += 1
            found = compare_call(recording, call, recorded, answer_of(world, call), records)
            own += [found] if found else []
        state = {key: world.get(*key) or {} for key in world.written}
        outcomes.append(check_outcome(recording, state, records, own))
        differences += own
    assert num_calls == 591
    assert 1 - len(differences) / num_calls > 0.98
    assert all("the catalogue says" in each.why for each in differences)
    assert all(outcome.recorded is outcome.here for outcome in outcomes)


def answer_of(world: MemoryWorld, call: dict[str, Any]) -> Response:
    contract = contract_for(call["name"])
    if problems := argument_problems(contract, call["arguments"]):
        return Response(error="; ".join(problems))
    try:
        return Response(contract.function(world, **call["arguments"]))
    except ToolError as error:
        return Response(error=str(error))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_part_is_replayed_by_a_real_worker_and_again() -> None:
    for _ in range(2):
        _, (share, num_calls, explained, num_sessions) = replay("--limit=4")
        assert (share, explained, num_sessions) == (1.0, 4, 4)
        assert num_calls > 10
    runs = Run.objects.filter(project__slug=PROJECT)
    assert runs.count() == 8
    assert set(runs.values_list("status", "kind")) == {("completed", "replay")}
    assert ShopWrite.objects.filter(run__in=runs).exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_all_recorded_sessions_are_replayed() -> None:
    lines, (share, num_calls, explained, num_sessions) = replay()
    assert share >= 0.98
    assert (num_calls, explained, num_sessions) == (591, 80, 80)
    assert sum("the catalogue says" in line for line in lines) == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data=/nowhere"], r"no db\.json"),
        (["--data=/nowhere", "--limit=0"], "--limit is 0"),
        (["--data=/nowhere", "--member=x@y.example"], "Nobody here has the e-mail address"),
    ],
)
def test_what_cannot_be_replayed_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("replay_recorded", *arguments)


def test_the_same_value_or_two_errors_agree() -> None:
    assert difference(Response({"a": 1.0}), Response({"a": 1})) == ""
    assert difference(Response(error="no"), Response(error="not so")) == ""


def test_differences_are_explained_by_what_differs() -> None:
    assert difference(Response(error="closed"), Response(1)).endswith("refused: closed")
    assert difference(Response(1), Response(error="shut")) == "this shop refuses it: shut"
    assert difference(Response(1), None) == "the replay did not come to this call"
    why = difference(Response({"a": 1, "b": [1, 2]}), Response({"a": 1, "b": [1, 3]}))
    assert why == "b[1]: 2 recorded, 3 here"


def test_an_item_with_the_price_of_another_is_found_out_by_the_catalogue() -> None:
    item = {**RECORDS["order"]["#F1"]["items"][0]}
    variant = RECORDS["product"]["P-1"]["variants"]["I-2"]
    wrong = {**item, "price": variant["price"], "options": variant["options"]}
    why = difference(Response({"items": [wrong]}), Response({"items": [item]}))
    assert why == (
        "the recorded shop gave item I-1 the price and options of item I-2, the catalogue says "
        "$40.10"
    )


def test_paths_of_values_that_are_only_on_one_side_are_named() -> None:
    found = [path for path, _, _ in differing_paths({"a": 1, "b": {}}, {"b": {"c": 2}})]
    assert found == ["a", "b.c"]


def test_an_outcome_counts_what_the_tasks_actions_lead_to() -> None:
    action = {
        "name": "cancel_pending_order",
        "arguments": {"order_id": "#F1", "reason": "no longer needed"},
    }
    refused = {"name": "cancel_pending_order", "arguments": {"order_id": "#F2", "reason": "x"}}
    task = {"id": "7", "evaluation_criteria": {"actions": [action, refused]}}
    recording = make_recording(task=task)
    missed = check_outcome(recording, {}, RECORDS, [])
    assert (missed.here, missed.is_explained) == (False, False)
    world = MemoryWorld(RECORDS)
    contract_for("cancel_pending_order").function(world, **action["arguments"])
    order = world.get("order", "#F1")
    assert order is not None
    assert check_outcome(recording, {("order", "#F1"): order}, RECORDS, []).is_explained
